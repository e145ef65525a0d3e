"""The mock responds as the recorded OAPs did: every exchange is repeated, at the time of the recording.

Responses are compared byte by byte, or as JSON. Where the mock words an error differently, status, location, path and
classification are compared instead; WORDED_DIFFERENTLY and PLACED_DIFFERENTLY list these cases with the reason.
"""

import json
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario, load_scenario
from tests.mock_oap.recordings import NOT_REPLAYED, RecordedExchange, list_cases, load_replayable

# The instants at which the current minute had as many calls as in the recording.
RECORDED_AT = {
    "9.2.0": datetime(2026, 11, 23, 23, 50, 10, tzinfo=UTC),
    "9.6.0": datetime(2026, 11, 23, 23, 49, 40, tzinfo=UTC),
    "10.1.0": datetime(2026, 11, 23, 23, 50, 30, tzinfo=UTC),
    "10.4.0": datetime(2026, 11, 23, 23, 49, 20, tzinfo=UTC),
}
ALL = list(load_replayable())

# Exchanges compared by status, location, path and classification only, with the reason. Patterns match "VERSION-CASE".
_VALIDATION = "graphql-core words validation errors differently from graphql-java"
_COERCION = "graphql-core words errors of variables differently from graphql-java"
_TIME = "the mock words malformed times in one way; OAP's texts are those of Joda time and of Java's number parser"
_CLASS = "since 10.0, OAP prefixes the message with the Java class of the exception"
_MQE = "the mock's MQE parser words syntax errors differently from ANTLR"
WORDED_DIFFERENTLY = {
    "*-syntax-error": "graphql-core words syntax errors differently from graphql-java",
    "*-unknown-field": _VALIDATION,
    "*.[126].0-mqe-owner-field": _VALIDATION,
    "9.2.0-list-services*": _VALIDATION,
    "9.2.0-v2-nullable-value*": f"{_VALIDATION}; the field is undefined before 9.5",
    "9.2.0-mqe-*": f"{_VALIDATION}; the field is undefined before 9.5",
    "9.2.0-alias-mqe-mixed-errors": f"{_VALIDATION}; the field is undefined before 9.5",
    "9.2.0-alias-*-over-complexity": "the mock has one text for the limit of tokens; that of graphql-java 17 differs",
    "9.2.0-empty-query": "the mock has one text for a missing query",
    "9.2.0-no-query-key": "the mock has one text for a missing query",
    "9.6.0-http-*": "the mock responds with a body to HTTP 404; 9.6 with none",
    "*.[146].0-missing-variable": _COERCION,
    "*-null-variable": _COERCION,
    "*.[146].0-v2-bad-step": _COERCION,
    "*.[146].0-v2-lowercase-step": _COERCION,
    "*.[146].0-v2-missing-step": _COERCION,
    "*.[124].0-*bad-duration*": _TIME,
    "9.6.0-mqe-bad-duration*": _TIME,
    "9.6.0-v2-bad-duration-[!e]*": _TIME,
    "*-alias-mixed-throwing": _TIME,
    "10.[14].0-*-start-after-end": _CLASS,
    "10.[14].0-*-window-501": _CLASS,
    "10.[14].0-v2-window-week": _CLASS,
    "9.6.0-alias-mqe-mixed-errors": _MQE,
    "10.[14].0-alias-mqe-mixed-errors": _MQE,
    "*.[16].0-mqe-bool-op": _MQE,
    "*-mqe-empty": _MQE,
    "*-mqe-spaces": _MQE,
    "*-mqe-malformed": _MQE,
    "*-mqe-null-op": _MQE,
    "*-mqe-sql": _MQE,
    "9.6.0-mqe-*percentile-p*": _MQE,
    "9.6.0-mqe-empty-window-percentile": _MQE,
}
PLACED_DIFFERENTLY = {
    "*.[126].0-v2-extra-duration-field": "graphql-java gives no location for an unknown field of a variable",
}


def is_listed(recorded: RecordedExchange, patterns: Iterable[str]) -> bool:
    return any(fnmatch(str(recorded), pattern) for pattern in patterns)


def recorded_scenario(version: str) -> Scenario:
    scenario = load_scenario(Path(__file__).parent / "capture_scenario.yaml")
    if version != "9.2.0":
        return scenario
    # The feeder of 9.2.0 started a minute earlier, and its older protocol has no attributes of instances.
    changed = scenario.model_dump(by_alias=True)
    for service in changed["services"]:
        for traffic in service["traffic"]:
            traffic["from"] = -31
        for instance in service["instances"]:
            instance["attributes"] = {}
    return Scenario.model_validate(changed)


async def send(oap: MockOap, recorded: RecordedExchange) -> tuple[int, str | None, str]:
    headers = {} if recorded.content_type is None else {"Content-Type": recorded.content_type}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            recorded.method,
            oap.address + recorded.path,
            data=recorded.body,
            headers=headers,
            skip_auto_headers=["Content-Type"],
        ) as response,
    ):
        return response.status, response.headers.get("Content-Type"), await response.text()


def parse_response(recorded: RecordedExchange, text: str) -> object:
    text = re.sub(r'"currentTimestamp":\d{13}', '"currentTimestamp":0', text)
    if not text.startswith(("{", "[")):
        return text
    content = json.loads(text)
    if recorded.case == "find-endpoint":  # the order is that of the storage and not specified
        content["data"]["findEndpoint"].sort(key=lambda endpoint: endpoint["name"])
    return content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def oaps():
    """One server for each version; the recorded requests only read."""
    async with AsyncExitStack() as stack:
        yield {
            version: await stack.enter_async_context(
                MockOap(
                    recorded_scenario(version),
                    version=version,
                    clock=ManualClock(at),
                    max_complexity=3000,  # as the recorded servers were configured
                )
            )
            for version, at in RECORDED_AT.items()
        }


def without_wording(content: object, *, placed: bool) -> object:
    """Reduce each error to its classification, and to its location and path unless `placed` is false."""
    if isinstance(content, str):
        return ""
    if isinstance(content, list):
        return [without_wording(one, placed=placed) for one in content]
    if not isinstance(content, dict):
        return content
    if content.get("extensions", {}).get("classification"):
        compared = ("locations", "path", "extensions") if placed else ("path", "extensions")
        return {key: content[key] for key in compared if key in content}
    if content.get("error"):
        return content | {"error": "an error"}
    return {key: without_wording(one, placed=placed) for key, one in content.items()}


async def replay(oap: MockOap, recorded: RecordedExchange) -> tuple[int, str | None, str]:
    oap.clear_faults()
    if recorded.case.startswith("storage-down"):
        oap.add_fault("storage-down", seconds=0)
    if recorded.status == 503:  # in the recording, the first read had already failed
        await send(oap, next(other for other in ALL if other.case == "storage-down-v2"))
    response = await send(oap, recorded)
    oap.clear_faults()
    return response


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("recorded", ALL, ids=str)
async def test_mock_repeated_request_responds_as_recorded(oaps: dict[str, MockOap], recorded: RecordedExchange):
    status, content_type, text = await replay(oaps[recorded.version], recorded)

    worded, placed = is_listed(recorded, WORDED_DIFFERENTLY), is_listed(recorded, PLACED_DIFFERENTLY)
    assert status == recorded.status
    if recorded.response_content_type_known and not worded:
        assert content_type == recorded.response_content_type
    if recorded.response_body is None:
        assert worded or len(text.encode()) == recorded.response_length
        return
    got, expected = parse_response(recorded, text), parse_response(recorded, recorded.response_body)
    if worded or placed:
        assert got != expected, "the mock responds exactly as recorded: remove the case from the list"
        got, expected = (without_wording(one, placed=not placed) for one in (got, expected))
    assert got == expected


def test_recordings_are_replayed_or_listed_with_a_reason():
    replayed_names = {(recorded.version, recorded.case) for recorded in ALL}
    for version, case in list_cases():
        listed = any(fnmatch(case, pattern) for pattern in NOT_REPLAYED)
        assert ((version, case) in replayed_names) != listed, f"{version} {case}"
    for pattern in NOT_REPLAYED:
        assert any(fnmatch(case, pattern) for _, case in list_cases()), f"{pattern} matches no case"
    for pattern in (*WORDED_DIFFERENTLY, *PLACED_DIFFERENTLY):
        assert any(is_listed(recorded, [pattern]) for recorded in ALL), f"{pattern} matches no case"
    assert all({**NOT_REPLAYED, **WORDED_DIFFERENTLY, **PLACED_DIFFERENTLY}.values())
    assert len(ALL) > 450
