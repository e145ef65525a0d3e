"""Causes of Failed measurements on the mock OAP: the clause, its requests, and that the verdict never depends on it."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.cause_clause import MAX_CLAUSE
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.mock_oap import Scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from tests.analysis.harness import CANARY, NOON, RUN, VANILLA, VERSIONS, Harness, HarnessFactory
from tests.analysis.judged import RUN as JUDGED_RUN

STABLE = CANARY.replace("canary", "stable")
THRESHOLD = {"sli": "success-rate", "service": CANARY}
JUDGED = {"sli": "success-rate", "service": CANARY, "compare": {"service": STABLE}}
BEFORE_CLAUSE = " · backend prod · "
CACHE = {"cache": {"responseTtl": "5s", "verdictTtl": "20s"}}


@pytest.fixture
def harness(harness: HarnessFactory) -> HarnessFactory:
    """Return the factory of harnesses, with time for a slow machine."""

    def make(scenario: str | Scenario, *, backend: dict[str, Any] | None = None, **keys: Any) -> Any:
        return harness(scenario, backend={"timeout": "120s"} | (backend or {}), **keys)

    return make


async def measure(
    b: Harness, success: str, block: dict[str, Any], *, run: Run = RUN, seconds: float = 300
) -> Measurement:
    content = json.dumps(block if "compare" in block or "objective" in block else {"window": "5m"} | block).encode()
    return await b.engine.run(Metric("m", success, "", content), run, Deadline.after(seconds))


async def judge_at(b: Harness, minutes: float, block: dict[str, Any]) -> Measurement:
    """Return a measurement that starts some minutes after the run."""
    b.clock.set(NOON + timedelta(minutes=minutes))
    return await measure(b, "", block, run=JUDGED_RUN)


def count_causes(harness: Harness) -> tuple[int, int]:
    """Return the numbers of rankings and of reads of endpoints that the OAP received."""
    bodies = [request.body for request in harness.oap.requests]
    rankings = sum("sortMetrics" in body for body in bodies)
    return rankings, sum("endpointName" in body for body in bodies)


def clause(measurement: Measurement) -> str:
    """Return the clause with `T` for the id of the trace; empty without a clause."""
    return re.sub(r"trace [0-9a-f]{32}\.\d+\.\d+$", "trace T", measurement.message.partition(BEFORE_CLAUSE)[2])


def reviews(canary: list[dict[str, Any]], stable: list[dict[str, Any]]) -> Scenario:
    """Build two services with the same endpoints and calls of their own."""
    names = sorted({name for one in (*canary, *stable) for name in one.get("endpoints", ())})
    services = [
        {"name": name, "endpoints": names, "instances": [{"name": f"{name[:6]}-pod"}], "traffic": traffic}
        for name, traffic in ((CANARY, canary), (STABLE, stable))
    ]
    return Scenario.model_validate({"services": services})


def to(endpoint: str, calls: int, failures: int = 0, latency: int = 50) -> dict[str, Any]:
    return {"calls": calls, "failures": failures, "latencies": [latency], "endpoints": [endpoint]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_threshold_on_a_service_names_the_endpoint_with_most_failures(
    harness: HarnessFactory, version: str
) -> None:
    async with harness("failing-endpoint", version=version) as b:
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert measurement.phase is Phase.FAILED
        assert clause(measurement) == "mostly POST:/reviews: 20 of 25 failures · trace T"
        assert count_causes(b) == (1, 1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_judged_service_has_stable_beside_the_canary(harness: HarnessFactory, version: str) -> None:
    async with harness("failing-endpoint", version=version) as b:
        measurement = await judge_at(b, 20.5, JUDGED)
        assert measurement.message.startswith("WORSE_THAN_STABLE ")
        assert clause(measurement) == "mostly POST:/reviews: 72 of 90 failures · trace T"
        assert count_causes(b) == (1, 1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_latency_names_the_endpoint_with_most_of_the_time(harness: HarnessFactory, version: str) -> None:
    async with harness("failing-endpoint", version=version) as b:
        alone = await measure(b, "result <= 300", {"sli": "latency", "service": CANARY})
        assert clause(alone) == "mostly POST:/reviews: 1 200 ms on average · trace T"
        judged = await judge_at(b, 20.5, JUDGED | {"sli": "latency"})
        assert clause(judged) == "mostly POST:/reviews: 1 200 ms on average · trace T"


@pytest.mark.parametrize("version", VERSIONS)
async def test_instances_have_a_clause_of_their_own_error_traces(harness: HarnessFactory, version: str) -> None:
    block = {"sli": "success-rate", "service": VANILLA, "instances": {"podTemplateHash": "6c85f7bf4"}}
    async with harness("failing-endpoint", version=version) as b:
        measurement = await measure(b, "result >= 0.99", block)
        assert clause(measurement) == "mostly POST:/reviews: 16 of 20 sampled error traces · trace T"


async def test_apdex_is_explained_by_failures_only_if_they_are_half_of_what_it_lost(harness: HarnessFactory) -> None:
    failing, slow = reviews([to("/a", 60, 20), to("/b", 60)], []), reviews([to("/a", 60, 1, 700), to("/b", 60)], [])
    for scenario, explained in ((failing, True), (slow, False)):
        async with harness(scenario) as b:
            measurement = await measure(b, "result >= 0.99", {"sli": "apdex", "service": CANARY})
            assert measurement.phase is Phase.FAILED
            assert ("mostly /a" in measurement.message) is explained


async def test_endpoint_that_fails_in_stable_alone_is_never_named(harness: HarnessFactory) -> None:
    scenario = reviews([to("/a", 60), to("/b", 60, 12)], [to("/a", 600, 300), to("/b", 600)])
    async with harness(scenario) as b:
        judged = await judge_at(b, 20.5, {"sli": "success-rate", "service": CANARY, "objective": 0.99})
        assert clause(judged) == "mostly /b: 216 of 216 failures"
        compared = await judge_at(b, 25.5, JUDGED)
        assert "/a" not in compared.message
        threshold = await measure(b, "result >= 0.99", THRESHOLD)
        assert clause(threshold) == "mostly /b: 60 of 60 failures"


@pytest.mark.parametrize(
    ("success", "block"),
    [
        ("result >= 0.5", THRESHOLD),
        ("result <= 1", {"sli": "throughput", "service": CANARY}),
        ("result >= 0.99", THRESHOLD | {"endpoint": "POST:/reviews"}),
        ("result >= 0.99", {"expression": "avg(service_sla)/10000", "service": CANARY}),
        ("result >= 0.99", THRESHOLD | {"minCalls": 1_000_000, "onNoData": "failed", "maxWait": "0s"}),
    ],
)
async def test_other_measurements_send_no_request_for_a_cause(
    harness: HarnessFactory, success: str, block: dict[str, Any]
) -> None:
    async with harness("failing-endpoint") as b:
        await measure(b, success, block)
        assert sum("sortMetrics" in request.body for request in b.oap.requests) == 0


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "html"},
    {"kind": "truncated"},
    {"kind": "wrong-types", "size": 4096},
    {"kind": "response", "body": '{"errors":[{"message":"Validation error"}]}'},
    {"kind": "response", "body": '{"data":null}'},
]


@pytest.mark.parametrize("match", ["sortMetrics", "endpointName"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: str(one.get("body", one["kind"])))
async def test_failure_of_a_cause_request_changes_neither_verdict_nor_value(
    harness: HarnessFactory, fault: dict[str, Any], match: str
) -> None:
    async with harness("failing-endpoint", backend={"retries": 3}) as b:
        expected = await measure(b, "result >= 0.99", THRESHOLD)
        b.oap.add_fault(match=match, **fault)
        b.oap.requests.clear()
        if fault["kind"] == "hang":
            b.engine._attempts._cause_limits = CauseLimits()
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert (measurement.phase, measurement.value) == (expected.phase, expected.value)
        assert f"{measurement.message} · " == "".join(expected.message.partition(BEFORE_CLAUSE)[:2])
        assert sum(count_causes(b)) <= (1 if match == "sortMetrics" else 2)
        b.oap.requests.clear()
        healthy = await measure(b, "result >= 0.5", THRESHOLD)
        assert healthy.phase is Phase.SUCCESSFUL  # no failure counts for the circuit breaker


@pytest.mark.parametrize(
    "body",
    [
        '{"data":{"r0":[],"r1":[]}}',
        '{"data":{"r0":[{"name":"/a","value":"NaN"}],"r1":[{"name":"","value":"7"}]}}',
    ],
)
async def test_rankings_without_endpoints_leave_a_clause_of_traces(harness: HarnessFactory, body: str) -> None:
    async with harness("failing-endpoint") as b:
        b.oap.add_fault("response", match="sortMetrics", body=body)
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert clause(measurement) == "mostly POST:/reviews: 16 of 20 sampled error traces · trace T"


async def test_failed_cause_requests_pause_for_a_minute(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint") as b:
        b.oap.add_fault("status", status=500, match="sortMetrics")
        for _ in range(3):
            assert (await measure(b, "result >= 0.99", THRESHOLD)).phase is Phase.FAILED
        assert count_causes(b) == (1, 0)


async def test_hanging_cause_request_keeps_the_deadline(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint") as b:
        await measure(b, "result >= 0.99", THRESHOLD)  # fetches clock, schema and inventory
        b.oap.add_fault("hang", match="sortMetrics")
        measurement = await measure(b, "result >= 0.99", THRESHOLD, seconds=8)  # less than the time for a cause
        assert measurement.phase is Phase.FAILED
        assert "mostly" not in measurement.message


async def test_oap_without_metrics_of_endpoints_has_a_clause_of_traces(
    harness: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skywalking_provider.mock_oap import metric_catalog  # noqa: PLC0415

    for name in ("endpoint_cpm", "endpoint_sla"):
        monkeypatch.delitem(metric_catalog.METRICS, name)
    async with harness("failing-endpoint") as b:
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert measurement.phase is Phase.FAILED
        assert clause(measurement) == "mostly POST:/reviews: 16 of 20 sampled error traces · trace T"
        assert count_causes(b) == (0, 1)


async def test_identical_measurements_share_the_cause(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint", backend=CACHE) as b:
        measurements = await asyncio.gather(*(measure(b, "result >= 0.99", THRESHOLD) for _ in range(50)))
        later = await measure(b, "result >= 0.99", THRESHOLD)
        assert {clause(one) for one in (*measurements, later)} == {"mostly POST:/reviews: 20 of 25 failures · trace T"}
        assert count_causes(b) == (1, 1)


async def test_cached_verdict_keeps_the_cause_for_listeners(harness: HarnessFactory) -> None:
    events: list[MeasurementEvent] = []
    async with harness("failing-endpoint", backend=CACHE) as b:
        b.engine._listeners = (events.append,)
        for _ in range(2):
            await measure(b, "result >= 0.99", THRESHOLD)
    causes = [one.details.cause for one in events]
    assert causes[0] is not None
    assert causes[0].endpoints is not None
    assert causes[0] == causes[1]
    assert [one.name for one in causes[0].endpoints.endpoints] == ["POST:/reviews", "GET:/reviews/{id}"]


async def test_name_of_an_endpoint_is_cut_and_printable(harness: HarnessFactory) -> None:
    name = "POST:/\x1b[31m\u202e" + "x" * 300
    async with harness(reviews([to(name, 60, 30)], [])) as b:
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert clause(measurement).startswith("mostly POST:/")
        assert clause(measurement).endswith("…: 150 of 150 failures")
        assert len(clause(measurement)) <= MAX_CLAUSE
        assert measurement.message.isprintable()


async def test_secret_in_the_name_of_an_endpoint_is_redacted_before_the_name_is_cut(harness: HarnessFactory) -> None:
    credential = "s3c-ret"  # shorter than those that are redacted in data
    name = "/" + "a" * 86 + credential
    async with harness(reviews([to(name, 60, 30)], []), backend={"headers": {"X-Token": credential}}) as b:
        measurement = await measure(b, "result >= 0.99", THRESHOLD)
        assert clause(measurement).endswith("…: 150 of 150 failures")
        assert "s3c" not in measurement.message


async def test_window_before_the_run_is_not_part_of_a_judged_cause(harness: HarnessFactory) -> None:
    before = to("/a", 60, 60) | {"until": 0}
    async with harness(reviews([before, to("/b", 60, 12)], [to("/b", 600)])) as b:
        measurement = await judge_at(b, 20.5, JUDGED)
        assert "/b: " in clause(measurement)
        assert b.clock() == NOON + timedelta(minutes=20.5)
