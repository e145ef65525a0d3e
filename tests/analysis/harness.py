"""Engine with real conditions and a mock OAP. Both use one clock, which the test moves."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.model import Deadline, Measurement, Metric, Run
from skywalking_provider.oap import open_backends

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
CANARY = "canary|reviews|bookinfo|cluster-1|-"
VANILLA = "reviews.bookinfo"
HASH = "6c85f7bf4"
VERSIONS = ["9.2.0", "9.6.0", "10.1.0"]
CAUSE_SECONDS = 60  # a slow machine must not lose a cause
REFERENCE_CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"


def reference_query(service: str = CANARY, fields: str = "value", metric: str = "service_apdex") -> str:
    return f"""
      query queryData($duration: Duration!) {{
        {metric}: readMetricsValues(
          condition: {{ name: "{metric}", entity: {{ scope: Service, serviceName: "{service}", normal: true }} }},
          duration: $duration) {{
            label values {{ values {{ {fields} }} }}
          }}
      }}"""


@dataclass
class Harness:
    """Mock OAP, clock and engine of one test."""

    oap: MockOap
    clock: ManualClock
    engine: Engine

    async def run(
        self, success: str = REFERENCE_CONDITION, failure: str = "", *, seconds: float = 10, **block: Any
    ) -> Measurement:
        return await self.engine.run(build_metric(success, failure, **block), RUN, Deadline.after(seconds))

    async def resume(self, measurement: Measurement, success: str = REFERENCE_CONDITION, **block: Any) -> Measurement:
        """Resume a measurement at its resume time, as Argo does."""
        assert measurement.resume_at
        self.clock.set(measurement.resume_at)
        return await self.engine.resume(build_metric(success, "", **block), RUN, measurement, Deadline.after(10))

    async def run_to_completion(self, success: str = REFERENCE_CONDITION, **block: Any) -> list[Measurement]:
        """Return all attempts of a measurement until it is completed."""
        steps = [await self.run(success, **block)]
        while not steps[-1].phase.completed:
            assert len(steps) < 200
            steps.append(await self.resume(steps[-1], success, **block))
        return steps


RUN = Run(namespace="bookinfo", name="reviews-1", labels={"rollout-type": "Step"})


def build_metric(success: str, failure: str = "", **block: Any) -> Metric:
    content = {"interval": "3m", "query": reference_query()} | block
    return Metric("apdex", success, failure, json.dumps(content).encode())


async def measure(
    harness: Harness, success: str = "true", run: Run = RUN, failure: str = "", **block: Any
) -> Measurement:
    """Measure a block of an expression or an indicator."""
    content = json.dumps({"window": "5m"} | block).encode()
    return await harness.engine.run(Metric("m", success, failure, content), run, Deadline.after(10))


HarnessFactory = Callable[..., Any]


@pytest.fixture
def harness() -> HarnessFactory:
    @asynccontextmanager
    async def make(
        scenario: str = "healthy-canary",
        *,
        backend: dict[str, Any] | None = None,
        at: datetime = NOON,
        skew: timedelta = timedelta(0),
        monotonic: Callable[[], float] = time.monotonic,
        **oap: Any,
    ) -> AsyncIterator[Harness]:
        clock = ManualClock(at)

        def now() -> datetime:
            return clock() + skew

        async with AsyncExitStack() as stack:
            mock = await stack.enter_async_context(MockOap(scenario, clock=clock, **oap))
            languages = await stack.enter_async_context(open_condition_evaluator())
            # Each measurement sends its own requests: no cache, no retries and no open circuit breaker.
            plain = {
                "clockTtl": "0s",
                "cache": {"responseTtl": "0s", "verdictTtl": "0s"},
                "retries": 0,
                "circuit": {"coolDown": "0s"},
            }
            config = BackendConfig.model_validate({"url": mock.url} | plain | (backend or {}))
            backends = await stack.enter_async_context(open_backends({"prod": config}, now, monotonic=monotonic))
            engine = Engine(backends, languages, now, monotonic=monotonic, cause_limits=CauseLimits(CAUSE_SECONDS))
            yield Harness(mock, clock, engine)

    return make
