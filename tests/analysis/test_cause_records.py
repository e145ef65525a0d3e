"""Traces and error logs of Failed measurements on the mock OAP: what the canary itself reported."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.cause_clause import MAX_CLAUSE
from skywalking_provider.analysis.cause_view import build_cause_json, build_cause_view
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.mock_oap import Scenario
from skywalking_provider.mock_oap.versions import TraceStorage
from skywalking_provider.model import Deadline, Measurement, Metric, Phase
from skywalking_provider.queries.causes.cause import Cause
from tests.analysis.harness import CANARY, RUN, VANILLA, VERSIONS, Harness, HarnessFactory

THRESHOLD = {"sli": "success-rate", "service": CANARY}
CANARY_PODS = {"sli": "success-rate", "service": VANILLA, "instances": {"podTemplateHash": "6c85f7bf4"}}
OF_TRACES = "mostly POST:/reviews: 16 of 20 sampled error traces · trace T"
TRACE_ID = re.compile(r"trace ([0-9a-f]{32}\.\d+\.\d+)$")


@pytest.fixture
def harness(harness: HarnessFactory) -> HarnessFactory:
    """Return the factory of harnesses, with time for a slow machine."""

    def make(scenario: str | Scenario, *, backend: dict[str, Any] | None = None, **keys: Any) -> Any:
        return harness(scenario, backend={"timeout": "120s"} | (backend or {}), **keys)

    return make


async def measure(b: Harness, block: dict[str, Any], success: str = "result >= 0.99") -> Measurement:
    content = json.dumps({"window": "5m"} | block).encode()
    return await b.engine.run(Metric("m", success, "", content), RUN, Deadline.after(300))


async def measure_cause(b: Harness, block: dict[str, Any], success: str = "result >= 0.99") -> Cause | None:
    """Return the cause as listeners receive it."""
    events: list[MeasurementEvent] = []
    b.engine._listeners = (events.append,)
    await measure(b, block, success)
    return events[-1].details.cause


def clause(measurement: Measurement) -> str:
    return TRACE_ID.sub("trace T", measurement.message.partition(" · backend prod · ")[2])


def bodies(b: Harness, word: str) -> Iterator[str]:
    return (request.body for request in b.oap.requests if word in request.body)


def shared_service(canary: list[dict[str, Any]], stable: list[dict[str, Any]], *, agent: bool) -> Scenario:
    """Build a service with the pod of the canary and the pod of stable, which have calls of their own."""
    instances = [
        {"name": "reviews-6c85f7bf4-9zr8t", "traffic": canary},
        {"name": "reviews-7d4f9c8b65-2xkqz", "traffic": stable},
    ]
    names = sorted({name for one in (*canary, *stable) for name in one["endpoints"]})
    service = {"name": VANILLA, "agent": agent, "endpoints": names, "instances": instances}
    return Scenario.model_validate({"services": [service]})


def to(endpoint: str, calls: int, failures: int = 0, latency: int = 50) -> dict[str, Any]:
    return {"calls": calls, "failures": failures, "latencies": [latency], "endpoints": [endpoint]}


@pytest.mark.parametrize("version", VERSIONS)
async def test_trace_of_the_message_is_found_by_its_id(harness: HarnessFactory, version: str) -> None:
    async with harness("failing-endpoint", version=version) as b:
        measurement = await measure(b, CANARY_PODS)
        assert clause(measurement) == OF_TRACES
        match = TRACE_ID.search(measurement.message)
        assert match
        spans = b.oap._executor.root["queryTrace"](None, traceId=match[1])["spans"]
        assert [(one["endpointName"], one["isError"]) for one in spans] == [("POST:/reviews", True)]
        assert {one["serviceInstanceName"] for one in spans} == {"reviews-6c85f7bf4-9zr8t"}


@pytest.mark.parametrize("agent", [True, False])
async def test_endpoint_that_fails_in_stable_alone_is_never_named(harness: HarnessFactory, agent: bool) -> None:
    scenario = shared_service([to("/a", 60), to("/b", 60, 12)], [to("/a", 60, 30), to("/b", 60)], agent=agent)
    async with harness(scenario) as b:
        measurement = await measure(b, CANARY_PODS)
        assert measurement.phase is Phase.FAILED
        assert "/a" not in measurement.message
        assert ("/b" in measurement.message) is agent
        cause = await measure_cause(b, CANARY_PODS)
        assert cause is not None
        assert [bars.note != "" for bars in build_cause_view(cause).bars] == [True] * (2 if agent else 1)


async def test_mesh_has_a_service_wide_clause_only_if_it_is_certain_for_the_canary(harness: HarnessFactory) -> None:
    canary = [to("/a", 60), to("/b", 60, 12)]
    for others, expected in (
        ([to("/a", 60), to("/b", 60)], "service-wide mostly /b: 60 of 60 failures"),
        ([to("/a", 60, 5), to("/b", 60)], "service-wide mostly /b: 60 of 85 failures"),
        ([to("/a", 60, 7), to("/b", 60)], ""),
    ):
        async with harness(shared_service(canary, others, agent=False)) as b:
            assert clause(await measure(b, CANARY_PODS)) == expected
            assert "queryBasicTraces" in next(bodies(b, "queryBasicTraces"))


async def test_latency_of_instances_names_their_slowest_trace(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint") as b:
        measurement = await measure(b, CANARY_PODS | {"sli": "latency"}, "result <= 100")
        assert clause(measurement) == "slowest sampled trace POST:/reviews: 1 500 ms · trace T"


@pytest.mark.parametrize(
    ("storage", "queries"),
    [
        (TraceStorage.SEGMENTS, (0, 1, 0)),
        (TraceStorage.DETECTED_SEGMENTS, (1, 1, 0)),
        (TraceStorage.WHOLE, (1, 0, 1)),
    ],
)
async def test_query_of_traces_is_the_one_that_the_storage_serves(
    harness: HarnessFactory, storage: TraceStorage, queries: tuple[int, int, int]
) -> None:
    async with harness("failing-endpoint", trace_storage=storage) as b:
        measurement = await measure(b, CANARY_PODS)
        expected = OF_TRACES.replace("16 of 20", "8 of 10") if storage is TraceStorage.WHOLE else OF_TRACES
        assert clause(measurement) == expected
        words = ("hasQueryTracesV2Support", "queryBasicTraces(", "queryTraces(")
        assert tuple(sum(1 for _ in bodies(b, one)) for one in words) == queries


async def test_cause_sends_two_requests_at_most(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint", trace_storage=TraceStorage.WHOLE) as b:
        assert (await measure(b, CANARY_PODS, "result >= 0.5")).phase is Phase.SUCCESSFUL
        first = len(b.oap.requests)
        assert (await measure(b, CANARY_PODS, "result >= 0.5")).phase is Phase.SUCCESSFUL
        successful = len(b.oap.requests) - first
        assert (await measure(b, CANARY_PODS)).phase is Phase.FAILED
        assert len(b.oap.requests) - first == 2 * successful + 2


async def test_texts_of_logs_are_read_only_if_they_may_be_shown(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint") as b:
        cause = await measure_cause(b, CANARY_PODS)
        assert cause is not None
        assert build_cause_view(cause).logs_title == "20 error logs or more"
        assert {one.content for one in build_cause_view(cause).logs} == {""}
        assert all("content" not in one for one in bodies(b, "queryLogs"))
        b.engine._attempts._cause_limits = CauseLimits(60, with_content=True)
        cause = await measure_cause(b, CANARY_PODS)
        assert cause is not None
        text = "java.lang.IllegalStateException: review not stored"
        assert {one.content for one in build_cause_view(cause).logs} == {text}
        assert text not in str(build_cause_json(cause))
        assert text in str(build_cause_json(cause, with_content=True))
        assert "IllegalState" not in (await measure(b, CANARY_PODS)).message


async def test_links_follow_the_patterns_of_the_backend(harness: HarnessFactory) -> None:
    backend = {
        "traceLink": "https://ui.example.org/traces/{traceId}",
        "logLink": "https://ui.example.org/layer/{layer}/logs?service={service}&traceId={traceId}",
    }
    async with harness("failing-endpoint", backend=backend) as b:
        cause = await measure_cause(b, THRESHOLD)
    assert cause is not None
    view = build_cause_view(cause)
    first = view.traces[0]
    assert first.link == f"https://ui.example.org/traces/{first.trace_id}"
    service = "canary%7Creviews%7Cbookinfo%7Ccluster-1%7C-"
    assert view.logs[0].link.startswith(f"https://ui.example.org/layer/GENERAL/logs?service={service}&traceId=")


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "hang"},
    {"kind": "reset"},
    {"kind": "response", "body": '{"errors":[{"message":"Exception while fetching data (/t0)"}],"data":null}'},
    {"kind": "response", "body": '{"data":{"t0":{"traces":[{"traceIds":7}]},"l0":{"logs":[]}}}'},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: str(one.get("body", one["kind"])))
async def test_failed_read_of_traces_changes_neither_verdict_nor_value_and_pauses_them(
    harness: HarnessFactory, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skywalking_provider.oap.traffic.pipeline._OPTIONAL_PAUSE_SECONDS", 0.0)
    async with harness("failing-endpoint", backend={"retries": 3}) as b:
        expected = await measure(b, CANARY_PODS)
        assert clause(expected) == OF_TRACES
        b.oap.add_fault(match="queryBasicTraces", **fault)
        if fault["kind"] == "hang":
            b.engine._attempts._cause_limits = CauseLimits()
        b.oap.requests.clear()
        for _ in range(3):
            failed = await measure(b, CANARY_PODS)
            assert (failed.phase, failed.value) == (expected.phase, expected.value)
            assert clause(failed) == ""
        assert sum(1 for _ in bodies(b, "queryBasicTraces")) == 1
        assert sum(1 for _ in bodies(b, "sortMetrics")) == 3


async def test_traces_pause_if_the_time_of_the_cause_ends_together_with_that_of_the_read(
    harness: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skywalking_provider.oap.traffic.pipeline._OPTIONAL_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("skywalking_provider.analysis.cause._LAST_READ_SECONDS", 0.0)  # as if the event loop were late
    async with harness("failing-endpoint") as b:
        await measure(b, CANARY_PODS)
        b.oap.add_fault(match="queryBasicTraces", kind="hang")
        b.engine._attempts._cause_limits = CauseLimits()
        b.oap.requests.clear()
        for _ in range(3):
            await measure(b, CANARY_PODS)
        assert sum(1 for _ in bodies(b, "queryBasicTraces")) == 1


async def test_part_that_oap_cannot_read_leaves_the_others(harness: HarnessFactory) -> None:
    async with harness("failing-endpoint", trace_storage=TraceStorage.WHOLE) as b:
        b.oap._executor.root["hasQueryTracesV2Support"] = lambda _: False  # queryBasicTraces fails: `t0` is null
        measurement = await measure(b, THRESHOLD)
        assert clause(measurement) == "mostly POST:/reviews: 20 of 25 failures"
        assert sum(1 for _ in bodies(b, "queryBasicTraces")) == 1
        await measure(b, THRESHOLD)
        assert sum(1 for _ in bodies(b, "queryBasicTraces")) == 1


async def test_secret_and_hostile_texts_of_traces_and_logs_are_shown_nowhere(harness: HarnessFactory) -> None:
    secret = "s3cret-credential-value"  # noqa: S105 - of the test
    scenario = Scenario.model_validate(
        {
            "services": [
                {
                    "name": CANARY,
                    "agent": True,
                    "errorLog": f"token {secret}\x1b[31m\u202e" + "x" * 500,
                    "endpoints": ["/\x1b[31m\u202e" + "y" * 300],
                    "instances": [{"name": "pod"}],
                    "traffic": [{"calls": 60, "failures": 30}],
                }
            ]
        }
    )
    async with harness(scenario, backend={"headers": {"X-Token": secret}}) as b:
        b.engine._attempts._cause_limits = CauseLimits(60, with_content=True)
        cause = await measure_cause(b, THRESHOLD)
        measurement = await measure(b, THRESHOLD)
    assert cause is not None
    shown = json.dumps(build_cause_json(cause, with_content=True), ensure_ascii=False)
    assert secret not in shown
    assert shown.isprintable()
    assert all(len(one.content) <= 200 for one in build_cause_view(cause).logs)
    assert len(clause(measurement)) <= MAX_CLAUSE
    assert measurement.message.isprintable()


@pytest.mark.parametrize("trace_id", ["", "x" * 65, "<script>", "a b", "é", "id\n"])
async def test_text_that_is_not_an_id_of_a_trace_is_left_out(harness: HarnessFactory, trace_id: str) -> None:
    trace = {"endpointNames": ["/x"], "duration": 1, "start": "nonsense", "isError": True, "traceIds": [trace_id]}
    log = {"timestamp": 2**62, "traceId": trace_id, "endpointName": None}
    body = {"data": {"t0": {"traces": [trace]}, "l0": {"logs": [log]}}}
    async with harness(shared_service([to("/b", 60, 12)], [], agent=True)) as b:
        b.oap.add_fault("response", match="sortMetrics", body='{"data":{"r0":[],"r1":[]}}')
        b.oap.add_fault("response", match="queryBasicTraces", body=json.dumps(body))
        cause = await measure_cause(b, CANARY_PODS)
        assert cause is not None
        view = build_cause_view(cause)
        assert (view.traces, [one.text for one in view.logs]) == ((), [""])
        assert "trace" not in (await measure(b, CANARY_PODS)).message


async def test_instances_of_a_large_canary_are_read_up_to_five(harness: HarnessFactory) -> None:
    instances = [{"name": f"reviews-6c85f7bf4-{at:05}", "traffic": [to("/b", 6, 3)]} for at in range(8)]
    service = {"name": VANILLA, "agent": True, "endpoints": ["/b"], "instances": instances}
    async with harness(Scenario.model_validate({"services": [service]})) as b:
        measurement = await measure(b, CANARY_PODS)
        assert clause(measurement) == "mostly /b: 75 of 75 sampled error traces · trace T"
        (body,) = bodies(b, "queryBasicTraces")
        assert body.count("queryBasicTraces(") == 5
