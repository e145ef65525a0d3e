"""Blocks of the query type `query`, keys of all types, and the messages for invalid ones."""

import contextlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.block import OnNoData, OnOutage, parse_block
from skywalking_provider.errors import ProviderError, Reason
from tests.cpu_time import measure_cpu_time

QUERY = (
    'query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "a"}, duration: $duration) { label } }'
)


def block(**keys: object) -> bytes:
    return json.dumps({"interval": "3m", "query": QUERY} | keys).encode()


def error_message(content: bytes) -> str:
    with pytest.raises(ProviderError) as caught:
        parse_block(content)
    assert caught.value.reason is Reason.BLOCK_INVALID
    return str(caught.value)


def test_block_of_the_built_in_provider_is_accepted() -> None:
    spec = parse_block(block(address="http://oap.istio-system:12800"))

    assert spec.interval == timedelta(minutes=3)
    assert spec.query == QUERY
    assert spec.address == "http://oap.istio-system:12800"


def test_omitted_keys_have_the_documented_defaults() -> None:
    spec = parse_block(block())

    assert (spec.on_no_data, spec.on_outage) == (OnNoData.INCONCLUSIVE, OnOutage.INCONCLUSIVE)
    assert spec.outage_grace == timedelta(minutes=5)
    assert spec.max_wait == timedelta(minutes=7)
    assert spec.starts_at_run


def test_max_wait_of_zero_needs_no_unit() -> None:
    assert parse_block(block(maxWait="0")).max_wait == timedelta(0)
    assert parse_block(block(maxWait=0)).max_wait == timedelta(0)


@pytest.mark.parametrize(
    ("keys", "path", "hint"),
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
        ({"query": 5}, "query", "is 5 instead of text"),
        ({"address": "oap:12800"}, "address", "http://oap.istio-system:12800"),
        ({"address": "http://user:pw@oap:12800"}, "address", "Write them into a backend"),
        ({"address": "http://oap:notaport"}, "address", "is not a URL"),
        ({"backend": ""}, "backend", "is empty"),
        ({"compatibility": "flagger"}, "compatibility", "'argo'"),
        ({"onNoData": "wait"}, "onNoData", "'inconclusive'"),
        ({"onOutage": "failed"}, "onOutage", "'inconclusive'"),
        ({"since": "start"}, "since", "'window'"),
        ({"since": "run", "compatibility": "argo"}, "since", "remove one of both"),
        ({"earlierPods": "drop"}, "earlierPods", "'include'"),
        ({"earlierPods": "exclude", "since": "window"}, "earlierPods", "exclude needs since: run"),
        ({"earlierPods": "exclude", "compatibility": "argo"}, "earlierPods", "exclude needs since: run"),
        ({"maxWait": "soon"}, "maxWait", "Go's notation"),
        ({"outageGrace": "8000h"}, "outageGrace", "7 days"),
        ({"compare": {}}, "compare", "Only indicators by name can be judged"),
    ],
)
def test_invalid_key_is_an_error_with_path_and_hint(keys: dict[str, object], path: str, hint: str) -> None:
    text = error_message(block(**keys))

    assert f"{path}: " in text
    assert hint in text
    assert "\n" not in text


def test_error_lists_all_invalid_keys() -> None:
    text = error_message(block(interval="x", onNoData="y", adress="z"))

    assert all(path in text for path in ("interval: ", "onNoData: ", "adress: "))


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff", b'{"a":' * 20_000])
def test_content_that_is_not_an_object_is_rejected(content: bytes) -> None:
    assert "the block of the metric is invalid" in error_message(content)


def test_block_above_the_size_limit_is_rejected() -> None:
    assert "at most" in error_message(block(query="# " + "x" * 70_000))


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8)).map(
        lambda content: json.dumps(content).encode()
    )
)
def test_block_of_any_content_does_not_crash_the_parser(content: bytes) -> None:
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
def test_address_in_each_spelling_is_normalised(written: str, means: str) -> None:
    assert parse_block(block(address=written)).address == means


@pytest.mark.parametrize(
    "address",
    ["http://u:p/w@oap", "u:s3cret@oap:12800", "http://u:s3cret@oap:128000", "http://oap?token=s3cret", "@s3cret"],
)
def test_address_with_credentials_is_not_repeated_in_the_error(address: str) -> None:
    text = error_message(block(address=address))

    assert "s3cret" not in text
    assert "p/w" not in text
    assert "credentials" in text


@pytest.mark.parametrize("key", ["", "conditions"])
def test_thousands_of_unknown_keys_have_ten_messages_and_take_little_cpu_time(key: str) -> None:
    """Each message compares its key with the known ones: 3,300 of them took 250 ms, and no message shows them."""
    unknown = {f"k{number}": 1 for number in range(2700)}
    text = block(**({key: unknown} if key else unknown))

    with measure_cpu_time() as used:
        message = error_message(text)

    assert used.seconds < 0.15  # 10 ms
    assert message.count("; ") == 10
    assert message.endswith(" more errors")
