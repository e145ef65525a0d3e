"""Measurements for the page: made by the real engine against the mock OAP, one clock for both."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
    """An engine whose answers somebody watches."""

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
        languages = await stack.enter_async_context(open_condition_evaluator())
        config = BackendConfig.model_validate(
            {"url": oap.url, "clockTtl": "0s", "cache": {"responseTtl": "0s", "verdictTtl": "0s"}} | backend
        )
        backends = await stack.enter_async_context(open_backends({"prod": config}, clock))
        yield HistoryHarness(Engine(backends, languages, clock, [listener]), clock, oap)


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
    """An answer by hand, where the engine would not give it."""
    measurement = Measurement(phase, at, message, value, finished_at=at if phase.completed else None)
    asked = Metric(name, "", "", b"{}")
    return MeasurementEvent(
        asked, run or build_run("reviews"), measurement, None, details or MeasurementDetails(backend="prod"), 0.012
    )


@dataclass
class MeasurementTimeline:
    """Answers with their instants, told to any history as they came."""

    events: list[tuple[datetime, MeasurementEvent]] = field(default_factory=list)

    def recording_listener(self, clock: ManualClock) -> MeasurementListener:
        return lambda record: self.events.append((clock(), record))

    def replay(self, history: History, clock: ManualClock) -> None:
        for instant, record in self.events:
            clock.set(instant)
            history.add(record)


async def record_timeline() -> MeasurementTimeline:
    """A canary that goes well, one that is slow, one that fails, and an OAP that goes away."""
    clock, told = ManualClock(NOON), MeasurementTimeline()
    watch = told.recording_listener(clock)
    async with open_history_harness(watch, clock, "healthy-canary") as b:
        for number in range(4):
            await b.measure(build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK), build_run("reviews", number))
            await b.measure(build_metric("p99-latency", "result < 500", LATENCY_BLOCK), build_run("reviews", number))
            clock.advance(300)
        await b.measure(
            build_metric("apdex-average", "result >= 0.9", EXPRESSION_BLOCK), build_run("ratings", namespace="shop")
        )
        await b.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK | {"interval": "5"}), build_run("details")
        )
        await b.measure(
            build_metric("nobody", "result > 0.9", SUCCESS_RATE_BLOCK | {"service": "revews.bookinfo"}),
            build_run("productpage"),
        )
    async with open_history_harness(watch, clock, "idle-minutes") as b:
        await b.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK),
            build_run("ratings", namespace="shop", kind="Background"),
        )
        clock.advance(20)
    async with open_history_harness(watch, clock, "slow-canary") as b:
        await b.measure(
            build_metric("apdex", REFERENCE_CONDITION, APDEX_BLOCK), build_run("checkout", namespace="shop")
        )
        clock.advance(30)
        gap = build_metric("apdex-gap", "result >= 0.99", EXPRESSION_BLOCK | {"service": CANARY}, "result < 0.2")
        await b.measure(gap, build_run("checkout", namespace="shop"))
        clock.advance(30)
    async with open_history_harness(watch, clock, "bad-canary") as b:
        await b.measure(build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK), build_run("reviews", 5))
        clock.advance(30)
        b.oap.add_fault("status", status=401)
        await b.measure(build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK), build_run("reviews", 6))
        clock.advance(10)
    async with open_history_harness(watch, clock, "healthy-canary", url="http://127.0.0.1:9") as b:
        await b.measure(
            build_metric("success-rate", "result >= 0.99", SUCCESS_RATE_BLOCK),
            build_run("ratings", 2, namespace="shop"),
        )
    return told
