"""Measurements for the page: made by the real engine against the mock OAP, one clock for both."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from skywalking_provider.config import BackendConfig
from skywalking_provider.engine import Engine
from skywalking_provider.languages import open_languages
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.page.history import History
from skywalking_provider.record import Record, Trail, Watch

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
TALK = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"
CANARY = "canary|reviews|bookinfo|cluster-1|-"
QUERY = f"""
  query queryData($duration: Duration!) {{
    service_apdex: readMetricsValues(
      condition: {{ name: "service_apdex", entity: {{ scope: Service, serviceName: "{CANARY}", normal: true }} }},
      duration: $duration) {{
        label values {{ values {{ value }} }}
      }}
  }}"""
APDEX = {"interval": "5m", "query": QUERY}
RATE = {
    "sli": "success-rate",
    "window": "10m",
    "service": "reviews.bookinfo",
    "instances": {"podTemplateHash": "6c85f7bf4"},
    "minCalls": 300,
}
LATENCY = {"sli": "latency", "percentile": 99, "window": "30m", "service": "reviews.bookinfo"}
EXPRESSION = {"expression": "avg(service_apdex)", "scale": 10000, "window": "10m", "service": "reviews.bookinfo"}


@dataclass
class Scene:
    """An engine whose answers somebody watches."""

    engine: Engine
    clock: ManualClock
    oap: MockOap

    async def ask(self, metric: Metric, run: Run) -> Measurement:
        return await self.engine.run(metric, run, Deadline.after(10))


@asynccontextmanager
async def scene(watch: Watch, clock: ManualClock, scenario: str, **backend: Any) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap(scenario, clock=clock))
        languages = await stack.enter_async_context(open_languages())
        config = BackendConfig.model_validate({"url": oap.url, "clockTtl": "0s", "answerTtl": "0s"} | backend)
        backends = await stack.enter_async_context(open_backends({"prod": config}, clock))
        yield Scene(Engine(backends, languages, clock, [watch]), clock, oap)


def metric(name: str, success: str, block: dict[str, Any], failure: str = "") -> Metric:
    return Metric(name, success, failure, json.dumps(block).encode())


def run(rollout: str, number: int = 1, namespace: str = "bookinfo", kind: str = "Step") -> Run:
    return Run(
        namespace=namespace,
        name=f"{rollout}-6c85f7bf4-2-{number}",
        labels={"rollout-type": kind, "step-index": str(number)},
        owner_kind="Rollout",
        owner_name=rollout,
        started_at=NOON - timedelta(hours=1),
    )


def record(
    at: datetime = NOON,
    phase: Phase = Phase.SUCCESSFUL,
    *,
    name: str = "apdex",
    whose: Run | None = None,
    message: str = "",
    value: str = "",
    trail: Trail | None = None,
) -> Record:
    """An answer by hand, where the engine would not give it."""
    measurement = Measurement(phase, at, message, value, finished_at=at if phase.completed else None)
    asked = Metric(name, "", "", b"{}")
    return Record(asked, whose or run("reviews"), measurement, None, trail or Trail(backend="prod"), 0.012)


@dataclass
class Story:
    """Answers with their instants, told to any history as they came."""

    told: list[tuple[datetime, Record]] = field(default_factory=list)

    def watch(self, clock: ManualClock) -> Watch:
        return lambda record: self.told.append((clock(), record))

    def tell(self, history: History, clock: ManualClock) -> None:
        for instant, record in self.told:
            clock.set(instant)
            history.add(record)


async def story() -> Story:
    """A canary that goes well, one that is slow, one that fails, and an OAP that goes away."""
    clock, told = ManualClock(NOON), Story()
    watch = told.watch(clock)
    async with scene(watch, clock, "healthy-canary") as b:
        for number in range(4):
            await b.ask(metric("apdex", TALK, APDEX), run("reviews", number))
            await b.ask(metric("p99-latency", "result < 500", LATENCY), run("reviews", number))
            clock.advance(300)
        await b.ask(metric("apdex-average", "result >= 0.9", EXPRESSION), run("ratings", namespace="shop"))
        await b.ask(metric("apdex", TALK, APDEX | {"interval": "5"}), run("details"))
        await b.ask(metric("nobody", "result > 0.9", RATE | {"service": "revews.bookinfo"}), run("productpage"))
    async with scene(watch, clock, "idle-minutes") as b:
        await b.ask(metric("apdex", TALK, APDEX), run("ratings", namespace="shop", kind="Background"))
        clock.advance(20)
    async with scene(watch, clock, "slow-canary") as b:
        await b.ask(metric("apdex", TALK, APDEX), run("checkout", namespace="shop"))
        clock.advance(30)
        gap = metric("apdex-gap", "result >= 0.99", EXPRESSION | {"service": CANARY}, "result < 0.2")
        await b.ask(gap, run("checkout", namespace="shop"))
        clock.advance(30)
    async with scene(watch, clock, "bad-canary") as b:
        await b.ask(metric("success-rate", "result >= 0.99", RATE), run("reviews", 5))
        clock.advance(30)
        b.oap.fault("status", status=401)
        await b.ask(metric("success-rate", "result >= 0.99", RATE), run("reviews", 6))
        clock.advance(10)
    async with scene(watch, clock, "healthy-canary", url="http://127.0.0.1:9") as b:
        await b.ask(metric("success-rate", "result >= 0.99", RATE), run("ratings", 2, namespace="shop"))
    return told
