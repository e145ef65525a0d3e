"""Measurement events for the history, made by the engine against the mock OAP with one clock for both."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent, MeasurementListener
from skywalking_provider.config import BackendConfig
from skywalking_provider.history.store import History
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
REFERENCE_CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
CANARY = "canary|reviews|bookinfo|cluster-1|-"
QUERY = f"""
  query queryData($duration: Duration!) {{
    service_apdex: readMetricsValues(
      condition: {{ name: "service_apdex", entity: {{ scope: Service, serviceName: "{CANARY}", normal: true }} }},
      duration: $duration) {{
        label values {{ values {{ value }} }}
      }}
  }}"""
APDEX_BLOCK = {"interval": "5m", "query": QUERY}
SUCCESS_RATE_BLOCK = {
    "sli": "success-rate",
    "window": "10m",
    "service": "reviews.bookinfo",
    "instances": {"podTemplateHash": "6c85f7bf4"},
    "minCalls": 300,
}
LATENCY_BLOCK = {"sli": "latency", "percentile": 99, "window": "30m", "service": "reviews.bookinfo"}
EXPRESSION_BLOCK = {"expression": "avg(service_apdex)", "scale": 10000, "window": "10m", "service": "reviews.bookinfo"}


@dataclass
class HistoryHarness:
    """An engine with a listener and a mock OAP."""

    engine: Engine
    clock: ManualClock
    oap: MockOap

    async def measure(self, metric: Metric, run: Run) -> Measurement:
        return await self.engine.run(metric, run, Deadline.after(10))


@asynccontextmanager
async def open_history_harness(
    listener: MeasurementListener, clock: ManualClock, scenario: str, **backend: Any
) -> AsyncIterator[HistoryHarness]:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap(scenario, clock=clock))
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        config = BackendConfig.model_validate(
            {"url": oap.url, "clockTtl": "0s", "cache": {"responseTtl": "0s", "verdictTtl": "0s"}} | backend
        )
        backends = await stack.enter_async_context(open_backends({"prod": config}, clock))
        yield HistoryHarness(Engine(backends, evaluator, clock, [listener], cause_limits=CauseLimits(60)), clock, oap)


def build_metric(name: str, success: str, block: dict[str, Any], failure: str = "") -> Metric:
    return Metric(name, success, failure, json.dumps(block).encode())


def build_run(rollout: str, number: int = 1, namespace: str = "bookinfo", kind: str = "Step") -> Run:
    return Run(
        namespace=namespace,
        name=f"{rollout}-6c85f7bf4-2-{number}",
        labels={"rollout-type": kind, "step-index": str(number)},
        owner_kind="Rollout",
        owner_name=rollout,
        started_at=NOON - timedelta(hours=1),
    )


def build_event(
    at: datetime = NOON,
    phase: Phase = Phase.SUCCESSFUL,
    *,
    name: str = "apdex",
    run: Run | None = None,
    message: str = "",
    value: str = "",
    details: MeasurementDetails | None = None,
) -> MeasurementEvent:
    """Build an event without running the engine."""
    measurement = Measurement(phase, at, message, value, finished_at=at if phase.completed else None)
    metric = Metric(name, "", "", b"{}")
    details = details or MeasurementDetails(backend="prod")
    return MeasurementEvent(metric, run or build_run("reviews"), measurement, None, details, 0.012, message)


@dataclass
class MeasurementTimeline:
    """Recorded events with their times, which can be replayed into a history."""

    events: list[tuple[datetime, MeasurementEvent]] = field(default_factory=list)

    def recording_listener(self, clock: ManualClock) -> MeasurementListener:
        return lambda event: self.events.append((clock(), event))

    def replay(self, history: History, clock: ManualClock) -> None:
        for instant, event in self.events:
            clock.set(instant)
            history.add(event)


async def record_timeline() -> MeasurementTimeline:
    """Record a healthy, a slow and a failing canary, and an unavailable OAP."""
    clock, timeline = ManualClock(NOON), MeasurementTimeline()
    listener = timeline.recording_listener(clock)
    async with open_history_harness(listener, clock, "healthy-canary") as harness:
        for number in range(4):
            await harness.measure(build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK), build_run("reviews", number))
            await harness.measure(
                build_metric("p99-latency", "result < 500", LATENCY_BLOCK), build_run("reviews", number)
            )
            clock.advance(300)
        await harness.measure(
            build_metric("apdex-average", "result >= 0.9", EXPRESSION_BLOCK), build_run("ratings", namespace="shop")
        )
        await harness.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK | {"interval": "5"}), build_run("details")
        )
        await harness.measure(
            build_metric("misspelled-service", "result > 0.9", SUCCESS_RATE_BLOCK | {"service": "revews.bookinfo"}),
            build_run("productpage"),
        )
    async with open_history_harness(listener, clock, "idle-minutes") as harness:
        await harness.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK),
            build_run("ratings", namespace="shop", kind="Background"),
        )
        clock.advance(20)
    async with open_history_harness(listener, clock, "slow-canary") as harness:
        await harness.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK), build_run("checkout", namespace="shop")
        )
        clock.advance(30)
        gap = build_metric("apdex-gap", "result >= 0.99", EXPRESSION_BLOCK | {"service": CANARY}, "result < 0.2")
        await harness.measure(gap, build_run("checkout", namespace="shop"))
        clock.advance(30)
    async with open_history_harness(listener, clock, "bad-canary") as harness:
        await harness.measure(
            build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK), build_run("reviews", 5)
        )
        clock.advance(30)
        harness.oap.add_fault("status", status=401)
        await harness.measure(
            build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK), build_run("reviews", 6)
        )
        clock.advance(10)
    async with open_history_harness(listener, clock, "healthy-canary", url="http://127.0.0.1:9") as harness:
        await harness.measure(
            build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK),
            build_run("ratings", 2, namespace="shop"),
        )
    return timeline
