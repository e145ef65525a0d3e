"""Bursts of Failed measurements: the OAP requests that their causes cost, and the memory that they take.

Every measurement of a burst fails, in runs of five metrics on twenty services in five namespaces. The backend has the
default configuration. Each burst has windows of another length, so that no cache has a response from the burst before.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.soak.growth import ProcessSample
from bench.soak.processes import FAILING_BACKEND, SoakProcesses
from bench.soak.workload import SERVICES, build_analysis_run, contains_secret
from skywalking_provider.tools.demo.argo_host import HostError

RUNS = 1000
WORKERS = 6
"""Runs at a time. Argo's thirty saturate the service, which then reads fewer causes, so the burst would test less."""
BURSTS = 3
"""The first one fills caches and history."""
MAX_REQUESTS_EACH = 0.1
"""Cause requests for each measurement."""
MAX_GROWTH_MIB = 8.0
"""Growth of the resident memory in a later burst, 1.6 KiB for each measurement."""
_FIRST_WINDOW_MINUTES = 3
_MAX_SECONDS = 180.0
_SETTLE_SECONDS = 2.0
_OTHER_WINDOW_MINUTES = 10
_MAX_ATTEMPTS = 18
_ATTEMPT_SECONDS = 5.0
_CANARY = {"podTemplateHash": "7d4f9c8b65"}


@dataclass(frozen=True, slots=True)
class FailingMetric:
    """A metric whose measurements fail.

    Attributes:
        name: Name of the metric.
        condition: Its successCondition.
        block: Keys of the block besides backend, service and window.
    """

    name: str
    condition: str
    block: dict[str, Any]

    def build(self, service: str, window_minutes: int) -> dict[str, Any]:
        """Build the metric as Argo passes it."""
        block = {"backend": FAILING_BACKEND, "service": service, "window": f"{window_minutes}m"} | self.block
        return {
            "name": self.name,
            "successCondition": self.condition,
            "provider": {"plugin": {"skywalking/metrics": block}},
        }


METRICS = (
    FailingMetric("success-rate", "result >= 0.99", {"sli": "success-rate"}),
    FailingMetric("canary", "result >= 0.99", {"sli": "success-rate", "instances": _CANARY}),
    FailingMetric("apdex", "result >= 0.99", {"sli": "apdex"}),
    FailingMetric("latency", "result <= 10", {"sli": "latency"}),
    FailingMetric("p99", "result <= 10", {"sli": "latency", "percentile": 99}),
)
"""The metrics of each run."""


@dataclass(frozen=True, slots=True)
class FailureBurst:
    """One burst.

    Attributes:
        measurements: Number of measurements.
        failed: Number of those that are Failed.
        with_cause: Number of those whose message has a cause.
        rankings: Requests that ranked endpoints.
        reads: Requests that read endpoints, traces and logs.
        seconds: Duration.
        initial_mib: Resident memory of the service before it.
        growth_mib: Increase of that memory.
    """

    measurements: int
    failed: int
    with_cause: int
    rankings: int
    reads: int
    seconds: float
    initial_mib: float
    growth_mib: float

    @property
    def requests_each(self) -> float:
        """Cause requests for each measurement."""
        return (self.rankings + self.reads) / self.measurements

    def to_json(self) -> dict[str, Any]:
        """Return the row of the results."""
        return {
            "measurements": self.measurements,
            "failed": self.failed,
            "withCause": self.with_cause,
            "rankings": self.rankings,
            "reads": self.reads,
            "requestsEach": round(self.requests_each, 4),
            "seconds": self.seconds,
            "initialMiB": self.initial_mib,
            "growthMiB": self.growth_mib,
        }


def find_burst_violations(bursts: list[FailureBurst]) -> Iterator[str]:
    """Yield the guarantees that bursts violate."""
    for number, burst in enumerate(bursts, 1):
        name = f"burst {number} of Failed measurements"
        if burst.failed < burst.measurements:
            yield f"{name}: {burst.measurements - burst.failed} of {burst.measurements} are not Failed"
        if not burst.with_cause:
            yield f"{name}: no message has a cause, so that the burst tests nothing"
        if burst.requests_each > MAX_REQUESTS_EACH:
            yield f"{name}: {burst.requests_each:.3f} cause requests each, limit {MAX_REQUESTS_EACH}"
        if number > 1 and burst.growth_mib > MAX_GROWTH_MIB:
            yield f"{name}: the service grew by {burst.growth_mib:.1f} MiB, limit {MAX_GROWTH_MIB:.0f} MiB"


def count_cause_requests(bodies: list[str]) -> tuple[int, int]:
    """Return the numbers of rankings of endpoints and of reads of endpoints, traces and logs."""
    rankings = sum("sortMetrics" in body for body in bodies)
    return rankings, sum("queryLogs" in body or "endpointName" in body for body in bodies)


async def run_failure_bursts(processes: SoakProcesses) -> list[FailureBurst]:
    """Run the bursts one after another.

    Raises:
        TimeoutError: A burst did not end.
    """
    return [await _run_burst(processes, _FIRST_WINDOW_MINUTES + number) for number in range(BURSTS)]


async def _wait_for_causes(processes: SoakProcesses, window_minutes: int) -> None:
    """Measure until a message has a cause: they pause for a minute after one that was too slow.

    The requests of the burst then have the texts of earlier ones, which the mock does not parse again.
    """
    counts, run = Counter[str](), build_analysis_run(0)
    for attempt in range(_MAX_ATTEMPTS):
        service = f"cart-{attempt % SERVICES}"
        for metric in METRICS:
            await _measure(processes, {"run": run, "metric": metric.build(service, window_minutes)}, counts)
        if counts["cause"]:
            return
        await asyncio.sleep(_ATTEMPT_SECONDS)


async def _run_burst(processes: SoakProcesses, window_minutes: int) -> FailureBurst:
    await _wait_for_causes(processes, window_minutes + _OTHER_WINDOW_MINUTES)
    pid, started_at = processes.service.pid, time.monotonic()
    initial = ProcessSample.take(pid, 0.0).resident_mib
    received = len(await processes.failing.fetch_bodies())
    counts, workers = Counter[str](), asyncio.Semaphore(WORKERS)
    async with asyncio.timeout(_MAX_SECONDS), asyncio.TaskGroup() as runs:
        for number in range(RUNS):
            runs.create_task(_run(processes, number, window_minutes, workers, counts))
    seconds = time.monotonic() - started_at
    rankings, reads = count_cause_requests((await processes.failing.fetch_bodies())[received:])
    await asyncio.sleep(_SETTLE_SECONDS)
    growth = ProcessSample.take(pid, 0.0).resident_mib - initial
    return FailureBurst(
        RUNS * len(METRICS),
        counts["Failed"],
        counts["cause"],
        rankings,
        reads,
        round(seconds, 1),
        round(initial, 1),
        round(growth, 1),
    )


async def _run(
    processes: SoakProcesses, number: int, window_minutes: int, workers: asyncio.Semaphore, counts: Counter[str]
) -> None:
    """Execute a run as Argo does: one worker, all metrics in parallel."""
    run = build_analysis_run(number)
    async with workers, asyncio.TaskGroup() as calls:
        for metric in METRICS:
            request = {"run": run, "metric": metric.build(f"cart-{number % SERVICES}", window_minutes)}
            calls.create_task(_measure(processes, request, counts))


async def _measure(processes: SoakProcesses, request: dict[str, Any], counts: Counter[str]) -> None:
    measurement = await _call(processes, "run", request)
    while measurement["phase"] == "Running":
        resume_at = datetime.fromisoformat(measurement["resumeAt"]).timestamp()
        await asyncio.sleep(max(0.0, resume_at - time.time()))
        measurement = await _call(processes, "resume", request | {"measurement": measurement})
    counts[measurement["phase"]] += 1
    counts["cause"] += bool(measurement["message"].partition(f" · backend {FAILING_BACKEND} · ")[2])


async def _call(processes: SoakProcesses, op: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        response = await processes.host.request(op, **request)
    except HostError as error:
        return {"phase": "Error", "message": str(error)}
    if contains_secret(json.dumps(response)):
        processes.on_violation(f"the response to {op} contains a secret: {response}")
    measurement: dict[str, Any] = response["measurement"]
    return measurement
