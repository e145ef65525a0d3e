"""What a template's author writes, and what is said when it is wrong."""

import contextlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import OnNoData, OnOutage, parse_block
from skywalking_provider.errors import ProviderError, Reason

QUERY = (
    'query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "a"}, duration: $duration) { label } }'
)


def block(**keys: object) -> bytes:
    return json.dumps({"interval": "3m", "query": QUERY} | keys).encode()


def complaint(content: bytes) -> str:
    with pytest.raises(ProviderError) as caught:
        parse_block(content)
    assert caught.value.reason is Reason.BLOCK_INVALID
    return str(caught.value)


def test_the_built_in_providers_own_block_is_understood() -> None:
    spec = parse_block(block(address="http://oap.istio-system:12800"))

    assert spec.interval == timedelta(minutes=3)
    assert spec.query == QUERY
    assert spec.address == "http://oap.istio-system:12800"


def test_what_is_not_said_has_the_defaults_of_the_docs() -> None:
    spec = parse_block(block())

    assert (spec.on_no_data, spec.on_outage) == (OnNoData.INCONCLUSIVE, OnOutage.INCONCLUSIVE)
    assert spec.outage_grace == timedelta(minutes=5)
    assert spec.max_wait_for(background=False) == timedelta(minutes=5)
    assert spec.max_wait_for(background=True) == timedelta(minutes=2)


def test_max_wait_of_zero_needs_no_unit_and_may_be_a_number() -> None:
    assert parse_block(block(maxWait="0")).max_wait_for(background=True) == timedelta(0)
    assert parse_block(block(maxWait=0)).max_wait_for(background=True) == timedelta(0)


@pytest.mark.parametrize(
    ("keys", "path", "remedy"),
    [
        ({"intervall": "3m"}, "intervall", "Did you mean interval?"),
        ({"interval": "3"}, "interval", "Go's notation"),
        ({"interval": "-3m"}, "interval", "negative"),
        ({"interval": "90s"}, "interval", "whole minutes"),
        ({"interval": "0s"}, "interval", "whole minutes"),
        ({"interval": "501m"}, "interval", "500m or less"),
        ({"interval": True}, "interval", "Go's notation"),
        ({"interval": "1d"}, "interval", "Go's notation"),
        ({"interval": "3m-2m"}, "interval", "Go's notation"),
        ({"interval": "1h 30m"}, "interval", "Go's notation"),
        ({"interval": "٣m"}, "interval", "Go's notation"),
        ({"interval": {"minutes": 3}}, "interval", "Go's notation"),
        ({"query": ""}, "query", "is empty"),
        ({"query": "query {"}, "query", "line 1, column 8"),
        ({"query": "mutation { x }"}, "query", "write a query"),
        ({"query": "query a { x } query b { y }"}, "query", "exactly one query"),
        ({"query": "{" * 5000}, "query", "is n"),
        ({"query": 5}, "query", "is 5, and text is meant"),
        ({"address": "oap:12800"}, "address", "http://oap.istio-system:12800"),
        ({"address": "http://user:pw@oap:12800"}, "address", "belong in a backend"),
        ({"address": "http://oap:notaport"}, "address", "is not a URL"),
        ({"backend": ""}, "backend", "is empty"),
        ({"compatibility": "flagger"}, "compatibility", "'argo'"),
        ({"onNoData": "wait"}, "onNoData", "'inconclusive'"),
        ({"onOutage": "failed"}, "onOutage", "'inconclusive'"),
        ({"maxWait": "soon"}, "maxWait", "Go's notation"),
        ({"outageGrace": "8000h"}, "outageGrace", "7 days"),
        ({"compare": {}}, "compare", "not supported yet"),
    ],
)
def test_a_wrong_key_is_named_with_its_remedy(keys: dict[str, object], path: str, remedy: str) -> None:
    text = complaint(block(**keys))

    assert f"{path}: " in text
    assert remedy in text
    assert "\n" not in text


def test_everything_wrong_is_said_at_once() -> None:
    text = complaint(block(interval="x", onNoData="y", adress="z"))

    assert all(path in text for path in ("interval: ", "onNoData: ", "adress: "))


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff", b'{"a":' * 20_000])
def test_what_is_no_object_is_refused_in_words(content: bytes) -> None:
    assert "the block under provider.plugin is invalid" in complaint(content)


def test_a_block_is_bounded() -> None:
    assert "at most" in complaint(block(query="# " + "x" * 70_000))


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8)).map(
        lambda content: json.dumps(content).encode()
    )
)
def test_no_block_crashes_the_parser(content: bytes) -> None:
    with contextlib.suppress(ProviderError):
        parse_block(content)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("HTTP://OAP.Istio-System:12800", "http://oap.istio-system:12800"),
        ("http://oap:12800/", "http://oap:12800"),
        ("http://oap:12800/graphql", "http://oap:12800"),
        ("http://oap:80", "http://oap"),
        ("https://oap:443/base/", "https://oap/base"),
        ("http://[::1]:12800", "http://[::1]:12800"),
    ],
)
def test_spellings_of_one_address_are_equal(written: str, means: str) -> None:
    assert parse_block(block(address=written)).address == means


@pytest.mark.parametrize(
    "address",
    ["http://u:p/w@oap", "u:s3cret@oap:12800", "http://u:s3cret@oap:128000", "http://oap?token=s3cret", "@s3cret"],
)
def test_an_address_that_may_hold_a_secret_is_never_repeated(address: str) -> None:
    text = complaint(block(address=address))

    assert "s3cret" not in text
    assert "p/w" not in text
    assert "credentials" in text
