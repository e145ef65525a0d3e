"""Looks of judged blocks on a mock OAP: OAP requests, and CPU time. Prints JSON.

A look is one measurement of a run: it reads and judges all closed minutes since the run's start. The clock is set by
hand, so that all looks of a minute happen at the same instant and the caches are as old as in operation.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario
from skywalking_provider.model import Deadline, Metric, Phase, Run
from skywalking_provider.oap import open_backends

RUNS: Final = 1000
SERVICES: Final = 50
MINUTES: Final = 60  # of the longest run
_LOOKS: Final = 2  # of each run; the last one counts
_CALLS: Final = 250  # measurements at once, fewer than the engine queues
_REPETITIONS: Final = 200
_SEED: Final = 1
_MINUTE: Final = timedelta(minutes=1)
_START: Final = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
_CANARY, _STABLE = {"podTemplateHash": "6c85f7bf4"}, {"podTemplateHash": "5b8c6d7f99"}
_JUDGED: Final[Sequence[dict[str, Any]]] = (
    {"sli": "success-rate", "compare": {"instances": _STABLE}},
    {"sli": "success-rate", "compare": {"instances": _STABLE, "harmful": {"ratio": 3, "difference": 0.05}}},
    {"sli": "latency", "compare": {"instances": _STABLE}},
    {"sli": "latency", "compare": {"instances": _STABLE}, "confidence": {"worse": 0.99}},
    {"sli": "success-rate", "objective": 0.99},
)
_THRESHOLDED: Final[dict[str, Any]] = {"sli": "success-rate", "window": "10m"}
_THRESHOLD: Final = "result > 0.9"


@dataclass(frozen=True, slots=True)
class Looks:
    """Engine on a mock OAP, with the clock of both."""

    engine: Engine
    oap: MockOap
    clock: ManualClock

    async def measure(self, metric: Metric, run: Run) -> None:
        """Measure once. The phase is Successful, or Running until the evidence is enough."""
        measurement = await self.engine.run(metric, run, Deadline.after(60))
        if measurement.phase not in (Phase.SUCCESSFUL, Phase.RUNNING):
            raise RuntimeError(f"{run.name}: {measurement.phase} {measurement.message}")


@asynccontextmanager
async def open_looks(now: datetime, **cache: str) -> AsyncIterator[Looks]:
    """Start the mock OAP and the engine at a time."""
    clock = ManualClock(_START)  # the scenario's data begins before this time
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap(_build_scenario(), clock=clock))
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        config = BackendConfig.model_validate({"url": oap.url, "cache": cache})
        backends = await stack.enter_async_context(
            open_backends({"prod": config}, clock, monotonic=lambda: clock().timestamp())
        )
        clock.set(now)
        yield Looks(Engine(backends, evaluator, clock), oap, clock)


async def measure_requests(metrics: Sequence[dict[str, Any]]) -> float:
    """Return the OAP requests per measurement of 1,000 runs with these metrics on 50 services.

    The runs started at different times in the last hour. The first look of each fills the caches; the last one counts.
    """
    now = _START + (MINUTES + 5) * _MINUTE
    starts = random.Random(_SEED)  # noqa: S311 - not for cryptography
    runs = []
    for number in range(RUNS):
        began = now - starts.uniform(5, MINUTES) * _MINUTE
        runs.append(Run(namespace="bench", name=f"run-{number}", created_at=began, started_at=began))
    measurements = [
        (_build_metric(number % SERVICES, keys), run) for number, run in enumerate(runs) for keys in metrics
    ]
    async with open_looks(now) as looks:
        for _ in range(_LOOKS):
            before = len(looks.oap.requests)
            for at in range(0, len(measurements), _CALLS):
                await asyncio.gather(*(looks.measure(*one) for one in measurements[at : at + _CALLS]))
            requests = len(looks.oap.requests) - before
            looks.clock.set(looks.clock() + _MINUTE)
    return requests / len(measurements)


async def measure_cpu() -> dict[str, float]:
    """Return the CPU time of a look with cached responses, in milliseconds: a threshold, and judged over 60 minutes."""
    run = Run(namespace="bench", name="run", created_at=_START, started_at=_START)
    forms = {
        "thresholded": _build_metric(0, _THRESHOLDED, _THRESHOLD),
        "judged": _build_metric(0, _JUDGED[0]),
    }
    async with open_looks(_START + (MINUTES + 1) * _MINUTE, verdictTtl="0s") as looks:
        for metric in forms.values():
            await looks.measure(metric, run)
        requests = len(looks.oap.requests)
        times: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(_REPETITIONS):
            for name, metric in forms.items():
                began = time.process_time()
                await looks.measure(metric, run)
                times[name].append(1000 * (time.process_time() - began))
        if len(looks.oap.requests) != requests:
            raise RuntimeError("the responses were not cached")
    return {name: round(statistics.median(values), 3) for name, values in times.items()}


def _build_metric(service: int, keys: dict[str, Any], condition: str = "") -> Metric:
    block = {"service": f"service-{service}", "instances": _CANARY, **keys}
    return Metric("success-rate", condition, "", json.dumps(block).encode())


def _build_scenario() -> Scenario:
    """Return services with one pod of each side: 120 and 1,080 calls a minute, of which 0.8 % fail."""
    pods = ((_CANARY["podTemplateHash"], 120, 1), (_STABLE["podTemplateHash"], 1080, 9))
    return Scenario.model_validate(
        {
            "services": [
                {
                    "name": f"service-{number}",
                    "instances": [
                        {
                            "name": f"service-{number}-{pod_hash}-x7k2d",
                            "attributes": {},
                            "traffic": [{"calls": calls, "failures": failures}],
                        }
                        for pod_hash, calls, failures in pods
                    ],
                }
                for number in range(SERVICES)
            ]
        }
    )


def main() -> None:
    """Measure both and print them."""
    requests = {
        f"{len(metrics)}": round(asyncio.run(measure_requests(metrics)), 4) for metrics in (_JUDGED[:1], _JUDGED)
    }
    print(json.dumps({"requestsPerMeasurement": requests, "cpuMs": asyncio.run(measure_cpu())}))


if __name__ == "__main__":
    main()
