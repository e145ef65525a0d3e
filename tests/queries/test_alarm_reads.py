"""Requests for alarms, their pages, and the features of the OAP that they depend on."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.mock_oap.versions import AlarmApi
from skywalking_provider.model import Deadline, Entity, Scope, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.alarms import (
    MAX_PAGES,
    PAGE_SIZE,
    AlarmFeatures,
    AlarmRead,
    alarms_request,
    parse_alarms,
    plan_alarm_reads,
    read_older,
)
from skywalking_provider.queries.alarms.reads import AlarmPages, read_alarms
from tests.analysis.harness import HarnessFactory

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=5), NOON)
GET_ALARM, QUERY_ALARMS = AlarmFeatures(), AlarmFeatures(selects_rules=True, reports_recovery=True)


def stored(began_at: int, **other: Any) -> dict[str, Any]:
    return {"startTime": began_at, "scope": "Service", "id": "YQ==.1", "message": "m", "tags": [], **other}


def test_getalarm_has_a_read_for_each_scope_and_queryalarms_one_for_each_rule() -> None:
    scopes = (Scope.SERVICE, Scope.INSTANCE)

    assert [one.scope for one in plan_alarm_reads(GET_ALARM, scopes, ["a_rule", "b_rule"])] == list(scopes)
    assert [one.rule for one in plan_alarm_reads(QUERY_ALARMS, scopes, ["a_rule", "b_rule"])] == ["a_rule", "b_rule"]
    assert [one.rule for one in plan_alarm_reads(QUERY_ALARMS, scopes, [])] == [""]


def test_request_of_getalarm_filters_by_scope_only() -> None:
    request = alarms_request([AlarmRead("a0", Scope.INSTANCE)], WINDOW, [Entity("a")], GET_ALARM)

    assert request.query == (
        "query q($a0: Duration!, $paging: Pagination!) { a0: getAlarm(duration: $a0, scope: ServiceInstance,"
        " paging: $paging) { msgs { startTime scope id message tags { key value } } } }"
    )
    assert request.variables == {
        "a0": {"start": "2026-11-24 1155", "end": "2026-11-24 1159", "step": "MINUTE"},
        "paging": {"pageNum": 1, "pageSize": PAGE_SIZE},
    }
    assert request.window is None  # the response of closed minutes still changes


def test_request_of_queryalarms_filters_by_rule_and_entity() -> None:
    entities = [Entity("a"), Entity("a", instance="a-0"), Entity("a", normal=False, endpoint="/")]
    request = alarms_request([AlarmRead("a0", rule="a_rule")], WINDOW, entities, QUERY_ALARMS)

    assert "queryAlarms(condition: $a0)" in request.query
    assert "recoveryTime" in request.query
    assert request.variables["a0"] == {
        "duration": {"start": "2026-11-24 1155", "end": "2026-11-24 1159", "step": "MINUTE"},
        "paging": {"pageNum": 1, "pageSize": PAGE_SIZE},
        "entities": [
            {"scope": "Service", "serviceName": "a", "normal": True},
            {"scope": "ServiceInstance", "serviceName": "a", "normal": True, "serviceInstanceName": "a-0"},
            {"scope": "Endpoint", "serviceName": "a", "normal": False, "endpointName": "/"},
        ],
        "ruleNames": ["a_rule"],
    }
    everything = alarms_request([AlarmRead("a0")], WINDOW, [], QUERY_ALARMS).variables["a0"]
    assert isinstance(everything, dict)
    assert set(everything) == {"duration", "paging"}


def test_next_page_ends_with_the_second_of_the_oldest_alarm() -> None:
    read = AlarmRead("a0", Scope.SERVICE)
    (page,) = parse_alarms({"a0": {"msgs": [stored(1_795_521_599_900), stored(1_795_521_545_123)]}}, [read])
    older = read_older(read, page, WINDOW)

    assert older is not None
    assert alarms_request([older], WINDOW, [], GET_ALARM).variables["a0"] == {
        "start": "2026-11-24 115500",
        "end": "2026-11-24 115905",
        "step": "SECOND",
    }
    assert read_older(older, page, WINDOW) is None  # more alarms in one second than a page has


@pytest.mark.parametrize("recovery", [None, 0])
def test_alarm_without_a_time_of_recovery_has_not_recovered(recovery: int | None) -> None:
    (page,) = parse_alarms({"a0": {"msgs": [stored(1, recoveryTime=recovery)]}}, [AlarmRead("a0")])

    assert not page[0].recovered
    (page,) = parse_alarms({"a0": {"msgs": [stored(1, recoveryTime=2)]}}, [AlarmRead("a0")])
    assert page[0].recovered


@pytest.mark.parametrize(
    ("alarms", "place"),
    [
        (None, "a0 is null"),
        ({}, "a0.msgs is missing"),
        ({"msgs": [{}]}, "a0.msgs.0.startTime is missing"),
        ({"msgs": [stored(-1)]}, "a0.msgs.0.startTime is -1"),
        ({"msgs": [stored(2**62)]}, "a0.msgs.0.startTime is "),
        ({"msgs": [stored(1, message=None)]}, "a0.msgs.0.message is null"),
        ({"msgs": [stored(1, tags=[{"value": "a"}])]}, "a0.msgs.0.tags.0.key is missing"),
    ],
    ids=str,
)
def test_alarms_of_another_form_are_an_invalid_response(alarms: object, place: str) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_alarms({"a0": alarms}, [AlarmRead("a0")])

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert place in str(caught.value)


def test_long_message_is_cut() -> None:
    (page,) = parse_alarms({"a0": {"msgs": [stored(1, message="m" * 20_000)]}}, [AlarmRead("a0")])

    assert len(page[0].message) == 2_000


class Oap:
    """An OAP with alarms, that returns the newest of the requested time, as many as a page has."""

    def __init__(self, *began_at: int) -> None:
        self.began_at = sorted(began_at, reverse=True)
        self.requests = 0

    async def read(self, request: Any, deadline: Deadline) -> dict[str, Any]:  # noqa: ARG002
        self.requests += 1
        duration = request.variables["a0"]
        step = duration["step"] == "SECOND"
        last = datetime.strptime(duration["end"], "%Y-%m-%d %H%M%S" if step else "%Y-%m-%d %H%M").replace(tzinfo=UTC)
        end = last + timedelta(seconds=1 if step else 60)
        found = [one for one in self.began_at if one < end.timestamp() * 1000]
        return {"a0": {"msgs": [stored(one, id=str(one)) for one in found[:PAGE_SIZE]]}}

    async def process(self, size: int, function: Any, *args: Any) -> Any:  # noqa: ARG002
        return function(*args)


async def read_all(oap: Oap) -> AlarmPages:
    backend: Any = oap
    return await read_alarms([Scope.SERVICE], (), (), GET_ALARM, backend, WINDOW, Deadline.after(10))


def times(count: int, apart: int) -> list[int]:
    newest = int(NOON.timestamp() * 1000) - 1
    return [newest - at * apart for at in range(count)]


async def test_alarms_of_one_page_need_one_request() -> None:
    oap = Oap(*times(PAGE_SIZE - 1, 10))
    pages = await read_all(oap)

    assert (len(pages.alarms), pages.complete, oap.requests) == (PAGE_SIZE - 1, True, 1)


async def test_all_alarms_of_several_pages_are_read() -> None:
    oap = Oap(*times(3 * PAGE_SIZE, 7))
    pages = await read_all(oap)

    assert {one.began_at for one in pages.alarms} == set(oap.began_at)
    assert pages.complete


async def test_pages_are_bounded() -> None:
    oap = Oap(*times(2 * MAX_PAGES * PAGE_SIZE, 7))
    pages = await read_all(oap)

    assert not pages.complete
    assert oap.requests == MAX_PAGES


async def test_more_alarms_in_one_second_than_a_page_has_are_not_read_forever() -> None:
    oap = Oap(*times(2 * PAGE_SIZE, 0))
    pages = await read_all(oap)

    assert not pages.complete
    assert oap.requests == 2


@asynccontextmanager
async def backend_of(harness: HarnessFactory, **oap: Any) -> AsyncIterator[tuple[Any, Backend]]:
    async with harness("alarming-canary", **oap) as b:
        yield b, b.engine._backends.select("prod", None, "bookinfo")


@pytest.mark.parametrize(
    ("api", "features"),
    [
        (AlarmApi.GET_ALARM, AlarmFeatures()),
        (AlarmApi.RECOVERY, AlarmFeatures(reports_recovery=True)),
        (AlarmApi.QUERY_ALARMS, AlarmFeatures(selects_rules=True, reports_recovery=True)),
    ],
)
async def test_features_are_detected_from_the_schema_once(
    harness: HarnessFactory, api: AlarmApi, features: AlarmFeatures
) -> None:
    async with backend_of(harness, alarm_api=api) as (b, backend):
        assert await backend.connection.alarm_features(Deadline.after(10)) == features
        sent = len(b.oap.requests)
        assert await backend.connection.alarm_features(Deadline.after(10)) == features

    assert len(b.oap.requests) == sent


async def test_oap_that_forbids_introspection_is_read_by_getalarm(harness: HarnessFactory) -> None:
    rejected = json.dumps({"errors": [{"message": "introspection is disabled"}]})
    async with backend_of(harness, alarm_api=AlarmApi.QUERY_ALARMS) as (b, backend):
        b.oap.respond_with(rejected, match="__type")
        assert await backend.connection.alarm_features(Deadline.after(10)) == AlarmFeatures()
