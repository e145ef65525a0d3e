"""The mock answers as the recorded OAPs did: every exchange is asked again, at the time of the recording."""

import json
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario, load_scenario
from tests.mock_oap.recordings import NOT_REPLAYED, RecordedExchange, list_cases, load_replayable

# The instants at which the calls of the running minute were as many as in the recording.
RECORDED_AT = {
    "9.2.0": datetime(2026, 11, 23, 23, 50, 10, tzinfo=UTC),
    "9.6.0": datetime(2026, 11, 23, 23, 49, 40, tzinfo=UTC),
    "10.1.0": datetime(2026, 11, 23, 23, 50, 30, tzinfo=UTC),
}
ALL = list(load_replayable())


def fed(version: str) -> Scenario:
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


async def ask(oap: MockOap, recorded: RecordedExchange) -> tuple[int, str | None, str]:
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


def comparable(recorded: RecordedExchange, text: str) -> object:
    text = re.sub(r'"currentTimestamp":\d{13}', '"currentTimestamp":0', text)
    if not text.startswith(("{", "[")):
        return text
    content = json.loads(text)
    if recorded.case == "find-endpoint":  # in the order of the storage, which no version promises
        content["data"]["findEndpoint"].sort(key=lambda endpoint: endpoint["name"])
    return content


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def oaps():
    """One server a version: what is replayed changes nothing in it."""
    async with AsyncExitStack() as stack:
        yield {
            version: await stack.enter_async_context(
                MockOap(
                    fed(version),
                    version=version,
                    clock=ManualClock(at),
                    max_complexity=3000,  # as the recorded servers were configured
                )
            )
            for version, at in RECORDED_AT.items()
        }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("recorded", ALL, ids=str)
async def test_the_mock_answers_as_the_recorded_oap(oaps: dict[str, MockOap], recorded: RecordedExchange):
    oap = oaps[recorded.version]
    oap.clear_faults()
    if recorded.case.startswith("storage-down"):
        oap.add_fault("storage-down", seconds=0)
    if recorded.status == 503:  # the recording's first read had already failed
        await ask(oap, next(other for other in ALL if other.case == "storage-down-v2"))
    status, content_type, text = await ask(oap, recorded)
    oap.clear_faults()

    assert status == recorded.status
    if recorded.response_content_type_known:
        assert content_type == recorded.response_content_type
    if recorded.response_body is not None:
        assert comparable(recorded, text) == comparable(recorded, recorded.response_body)
    else:
        assert len(text.encode()) == recorded.response_length


def test_everything_recorded_is_replayed_or_listed_with_its_reason():
    replayed_names = {(recorded.version, recorded.case) for recorded in ALL}
    for version, case in list_cases():
        listed = any(fnmatch(case, pattern) for pattern in NOT_REPLAYED)
        assert ((version, case) in replayed_names) != listed, f"{version} {case}"
    for pattern, reason in NOT_REPLAYED.items():
        assert reason
        assert any(fnmatch(case, pattern) for _, case in list_cases()), f"{pattern} names no case"
    assert len(ALL) > 450
