"""The mock responds to requests for alarms as real OAPs did, with the alarms of the recording.

The recorded OAPs had a failing canary and three rules: of the service with a message and tags, of instances without a
message, and of endpoints. `alarms-all` has all alarms; the order of those of one millisecond is not specified.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario
from skywalking_provider.mock_oap.entity_ids import decode
from skywalking_provider.oap.api.alarms import AlarmRead, parse_alarms

FOLDER = Path(__file__).parent.parent / "captures" / "alarms"
VERSIONS = ("9.6.0", "10.1.0")
CASES = [(version, file.name.removesuffix(".request.json")) for version in VERSIONS for file in sorted(
    (FOLDER / version).glob("*.request.json"))]  # fmt: skip

NOT_COMPARED = {
    "alarms-page-2-of-1": "a page that begins among alarms of one millisecond repeats some of them, and lacks others",
    "alarms-page-1-of-1": "its alarm is one of several of one millisecond",
    "alarms-no-page": "its alarms are some of those of one millisecond",
}
WORDED_DIFFERENTLY = {"alarms-bad-duration", "alarms-recovery-time", "alarms-query-alarms"}


def load(version: str, case: str) -> Any:
    return json.loads((FOLDER / version / f"{case}.json").read_text(encoding="utf-8"))


def recorded_at(version: str) -> datetime:
    return datetime.fromisoformat(json.loads((FOLDER / version / "index.json").read_text())["recordedAt"])


def build_scenario(version: str, start: datetime) -> Scenario:
    """Return the scenario of the alarms that the recording has."""

    def alarms() -> Iterator[dict[str, Any]]:
        for one in load(version, "alarms-all")["data"]["alarms"]["msgs"]:
            began_at = datetime.fromtimestamp(one["startTime"] / 1000, UTC)
            minutes, rest = divmod(began_at - start, timedelta(minutes=1))
            child = decode(one["id"].partition("_")[2])
            yield {
                "rule": "recorded_rule",
                "from": minutes,
                "second": rest.total_seconds(),
                "message": one["message"],
                "tags": {tag["key"]: tag["value"] for tag in one["tags"]},
                "instance": child if one["scope"] == "ServiceInstance" else None,
                "endpoint": child if one["scope"] == "Endpoint" else None,
            }

    canary = {"name": "canary|reviews|bookinfo|cluster-1|-", "alarms": list(alarms())}
    return Scenario.model_validate({"services": [canary]})


def sorted_alarms(content: Any) -> Any:
    for field in (content.get("data") or {}).values():
        for alarm in (field or {}).get("msgs", ()):
            alarm.get("tags", []).sort(key=lambda tag: tag["key"])
        if field and "msgs" in field:
            field["msgs"].sort(key=lambda one: (-one["startTime"], one["id"]))
    return content


async def replay(version: str, case: str) -> tuple[int, Any]:
    at = recorded_at(version)
    scenario = build_scenario(version, at.replace(second=0))
    body = json.loads((FOLDER / version / f"{case}.request.json").read_text())["body"]
    async with (
        MockOap(scenario, version=version, clock=ManualClock(at)) as oap,
        aiohttp.ClientSession() as session,
        session.post(oap.url, json=body) as response,
    ):
        return response.status, await response.json()


@pytest.mark.parametrize(("version", "case"), CASES)
async def test_mock_responds_as_recorded(version: str, case: str) -> None:
    recorded = load(version, case)
    status, got = await replay(version, case)

    assert status == next(
        one["status"]
        for one in json.loads((FOLDER / version / "index.json").read_text())["cases"]
        if one["case"] == case
    )
    if case in WORDED_DIFFERENTLY:
        assert [one["extensions"] for one in got["errors"]] == [one["extensions"] for one in recorded["errors"]]
        return
    if case in NOT_COMPARED:
        assert len(got["data"]["alarms"]["msgs"]) == len(recorded["data"]["alarms"]["msgs"])
        return
    assert sorted_alarms(got) == sorted_alarms(recorded)


def test_recorded_page_of_9_6_repeats_an_alarm_of_the_page_before() -> None:
    first, second = (load("9.6.0", f"alarms-page-{page}-of-1")["data"]["alarms"]["msgs"] for page in (1, 2))

    assert first == second
    assert len(load("9.6.0", "alarms-all")["data"]["alarms"]["msgs"]) > 2


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_alarms_are_parsed(version: str) -> None:
    (page,) = parse_alarms(load(version, "alarms-all")["data"], [AlarmRead("alarms")])

    assert {one.scope for one in page} == {"Service", "ServiceInstance", "Endpoint"}
    assert {one.message for one in page if one.scope == "ServiceInstance"} == {
        "Alarm caused by Rule instance_success_rule"
    }
    assert all(not one.recovered for one in page)
