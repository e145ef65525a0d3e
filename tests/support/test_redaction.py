"""Redaction: the table of encodings, its copy in the bridge, data of responses, and the work for hostile texts."""

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.model import Secret
from skywalking_provider.support.encodings import TABLE
from skywalking_provider.support.redaction import REDACTED, Redactor, redact_json
from tests.cpu_time import measure_cpu_time

ROOT = Path(__file__).parents[2]
COVERED = [(one["title"], example) for one in TABLE["covered"] for example in one["examples"]]
NOT_COVERED = [(one["title"], example) for one in TABLE["notCovered"] for example in one["examples"]]
TOKEN = "abc&LONGSECRET-7731"  # noqa: S105 - not a real one


@pytest.mark.parametrize(("title", "example"), COVERED)
def test_covered_encoding_is_redacted(title: str, example: dict[str, str]) -> None:
    redact = Redactor(Secret(example["secret"]))

    assert redact(f"before {example['text']} after") == "before ******** after", title


@pytest.mark.parametrize(("title", "example"), NOT_COVERED)
def test_encoding_that_is_not_covered_is_kept(title: str, example: dict[str, str]) -> None:
    redact = Redactor(Secret(example["secret"]))

    assert redact(example["text"]) == example["text"], title


def test_bridge_has_the_same_table() -> None:
    service = ROOT / "skywalking_provider/support/redaction_encodings.json"
    bridge = ROOT / "bridge/internal/provider/redaction_encodings.json"

    assert service.read_bytes() == bridge.read_bytes()


def test_security_document_lists_the_encodings_of_the_table() -> None:
    document = (ROOT / "docs/security.md").read_text()
    for key, heading in (("covered", "Encodings that are redacted:"), ("notCovered", "Not redacted:")):
        listed = re.search(rf"^{re.escape(heading)}\n\n((?:- .*\n(?:  .*\n)*)+)", document, re.MULTILINE)

        assert listed, heading
        items = [" ".join(item.split()).rstrip(";.") for item in re.split(r"^- ", listed[1], flags=re.MULTILINE)[1:]]
        assert items == [one["title"] for one in TABLE[key]]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"a": [{"name": f"you are {TOKEN}"}]}),
        '{"a":[{"name":"you are abc\\u0026LONGSECRET-7731"}]}',
        '{"a":[{"name":"you are \\u0061\\u0062c&LONGSECRET-7731"}]}',
        '{"a":[{"name":"you are abc%26LONGSECRET-7731"}]}',
        '{"a":[{"name":"you are abc&amp;LONGSECRET-7731"}]}',
        '{"a":[{"name":"you are YWJjJkxPTkdTRUNSRVQtNzczMQ=="}]}',
    ],
)
def test_data_are_redacted_before_conditions_read_them(body: str) -> None:
    data = json.loads(body)

    redactor = Redactor(Secret(TOKEN))

    assert redactor.is_in_response(body.encode())
    redactor.redact_data(data)

    assert data == {"a": [{"name": f"you are {REDACTED}"}]}


def test_response_without_a_secret_is_not_read_twice() -> None:
    redactor = Redactor(Secret(TOKEN), Secret("short"))

    assert not redactor.is_in_response(b'{"a":[{"name":"you are abc\\u0026 %41 &amp; short"}]}')


def test_data_keys_are_redacted_and_keep_their_order() -> None:
    data: dict[str, Any] = {"x": 1, f"is {TOKEN}": {TOKEN: [TOKEN]}, "y": 2}

    Redactor(Secret(TOKEN)).redact_data(data)

    assert list(data.items()) == [("x", 1), (f"is {REDACTED}", {REDACTED: [REDACTED]}), ("y", 2)]


def test_data_numbers_stay_measured_values() -> None:
    data = {"value": "12345678", "number": 12345678, "text": "token 12345678"}

    Redactor(Secret("12345678")).redact_data(data)

    assert data == {"value": "12345678", "number": 12345678, "text": f"token {REDACTED}"}


def test_data_names_and_short_secrets_stay() -> None:
    data = ["reviews.bookinfo-prod", "admin-portal", TOKEN]
    tenant = Secret("bookinfo-prod")
    redactor = Redactor(tenant, Secret("admin"), Secret(TOKEN), names=frozenset({tenant}))

    redactor.redact_data(data)

    assert data == ["reviews.bookinfo-prod", "admin-portal", REDACTED]
    assert redactor("bookinfo-prod, admin") == f"{REDACTED}, {REDACTED}"


def test_data_nested_deeply_are_redacted() -> None:
    data: Any = [TOKEN]
    for _ in range(20_000):
        data = [data]

    Redactor(Secret(TOKEN)).redact_data(data)

    while isinstance(data, list):
        data = data[0]
    assert data == REDACTED


def test_long_text_with_a_secret_is_replaced_as_a_whole() -> None:
    assert Redactor(Secret(TOKEN))("x" * 100_000 + TOKEN) == REDACTED


def test_redact_json_redacts_texts_and_keeps_numbers() -> None:
    assert redact_json({TOKEN: [1, TOKEN]}, Redactor(Secret(TOKEN))) == {REDACTED: [1, REDACTED]}


@pytest.mark.parametrize(
    "unit", ["%41", "\\u0041", "&amp;", "&#00000", "\\", "%25", "+", " ", "%", "&a", "\\u0041%41&amp;", "YWJj"]
)
def test_work_for_a_hostile_text_is_linear(unit: str) -> None:
    redact = Redactor(Secret(TOKEN), Secret("x" * 2000), Secret("YWJjYWJjYWJjYWJj-"))

    def measure(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        with measure_cpu_time() as used:
            redact(text)
        return used.seconds

    measure(1000)
    # A quadratic time would be 256 times as long for a text that is 16 times as long.
    assert measure(1 << 20) < 100 * max(measure(1 << 16), 0.001)


@pytest.mark.parametrize("unit", ["%41aa", "\\", "a  ", "\\u0041%41&amp;", "&a", "%25252541"])
def test_memory_for_a_hostile_response_is_bounded(unit: str) -> None:
    size = 1 << 20
    body = bytearray(unit.encode() * (size // len(unit)))
    redactor = Redactor(Secret(TOKEN), Secret("two words of a secret"))

    tracemalloc.start()
    try:
        assert not redactor.is_in_response(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 6 * size


def test_work_for_nested_texts_does_not_grow_with_their_depth() -> None:
    redact = Redactor(Secret(TOKEN))

    def measure(depth: int) -> float:
        value: Any = ["a"] * 50_000
        for _ in range(depth):
            value = [value]
        with measure_cpu_time() as used:
            redact_json(value, redact)
        return used.seconds

    measure(1)
    assert measure(900) < 50 * max(measure(1), 0.001)  # 900 times as long with nested generators
