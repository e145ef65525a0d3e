"""Runs as Argo has them: their metrics at once, each from Run over Resume to its end, and everything noted."""

import asyncio
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.soak.fault_effects import Observations
from bench.soak.processes import RUN_TIMEOUT_SECONDS, SoakProcesses
from bench.soak.results import SoakResults
from bench.soak.workload import (
    METRIC_KINDS,
    SECRET_KIND,
    MetricKind,
    build_analysis_run,
    contains_secret,
    find_terminate_violations,
    find_violations,
    is_lost_with_bridge,
)
from skywalking_provider.tools.demo.argo_host import HostError

DEADLINE_TOLERANCE_SECONDS = 0.25
WORKERS = 30
"""Argo's `--analysis-threads`: each has one run at a time and calls all its metrics at once."""
_ABORT_EVERY = 8
"""One run in so many is aborted, up to four seconds after it began: what of it is Running then is terminated."""
_DEADLINES = {"run": RUN_TIMEOUT_SECONDS, "resume": RUN_TIMEOUT_SECONDS, "terminate": 2.0, "metadata": 2.0, "gc": 2.0}


@dataclass(slots=True)
class SoakMeasurement:
    """One measurement of a run."""

    kind: MetricKind
    metric: dict[str, Any]
    measurement: dict[str, Any] | None = None
    terminated: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is asked about it; whatever Terminate answers, it is asked once."""
        return self.terminated or (self.measurement is not None and self.measurement["phase"] != "Running")

    @property
    def due_at(self) -> float:
        """When it is to be called next, as seconds of the clock."""
        return _to_seconds(self.measurement.get("resumeAt")) or 0.0 if self.measurement else 0.0


class LoadDriver:
    """So many runs a second, whatever becomes of those before; the workers take them as Argo's do."""

    def __init__(self, processes: SoakProcesses, results: SoakResults, observations: Observations) -> None:
        self._processes, self._results, self._observations = processes, results, observations
        self._workers = asyncio.Semaphore(WORKERS)

    async def run(self, runs_per_second: float, seconds: float) -> None:
        """Begin runs for so long, and follow them to their ends."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as runs:
            for number in range(int(runs_per_second * seconds)):
                await asyncio.sleep(began + number / runs_per_second - loop.time())
                runs.create_task(self._run(number))

    async def _run(self, number: int) -> None:
        run = build_analysis_run(number)
        kinds = (*METRIC_KINDS[:-1], SECRET_KIND) if number % 10 == 0 else METRIC_KINDS
        measures = [SoakMeasurement(kind, kind.build_metric(number)) for kind in kinds]
        for kind in kinds:
            self._results.start_counts[kind.name] += 1
        aborted = time.time() + number % 5 if number % _ABORT_EVERY == 0 else math.inf
        while open_ones := [one for one in measures if not one.is_finished]:
            await asyncio.sleep(min(aborted, *(one.due_at for one in open_ones)) - time.time())
            aborting = time.time() >= aborted
            async with self._workers, asyncio.TaskGroup() as calls:
                for one in open_ones:
                    if aborting or one.due_at <= time.time():
                        calls.create_task(self._advance(run, one, aborting=aborting))
        await self._call("metadata", {"metric": measures[0].metric})
        if number % 10 == 0:
            await self._call("gc", {"run": run, "metric": measures[0].metric, "limit": 10})

    async def _advance(self, run: dict[str, Any], measurement: SoakMeasurement, *, aborting: bool) -> None:
        request = {"run": run, "metric": measurement.metric}
        if measurement.measurement is None:
            measurement.measurement = await self._measure("run", measurement.kind, request)
        elif aborting:
            measurement.measurement = await self._terminate(measurement.kind, request, measurement.measurement)
            measurement.terminated = True
        else:
            measurement.measurement = await self._measure(
                "resume", measurement.kind, request | {"measurement": measurement.measurement}
            )
        if measurement.is_finished:
            phase = measurement.measurement["phase"]
            self._results.end_counts[
                measurement.kind.name, f"{phase} by Terminate" if measurement.terminated else phase
            ] += 1

    async def _measure(self, op: str, kind: MetricKind, request: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        measurement, took = await self._request_measurement(op, request)
        instants = {key: _to_seconds(measurement.get(key)) for key in ("resumeAt", "finishedAt")}
        killed = self._processes.bridge_killed_since(began)
        for promise in find_violations(kind, measurement | instants, time.time(), bridge_killed=killed):
            self._results.record_violation(promise)
        lost = self._count_lost(measurement, killed=killed)
        wait = measurement["message"].partition(" ")[0] if measurement["phase"] == "Running" else None
        self._observations.record_response(took, wait, lost=lost)
        return measurement

    async def _terminate(self, kind: MetricKind, request: dict[str, Any], previous: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        measurement, _ = await self._request_measurement("terminate", request | {"measurement": previous})
        killed = self._processes.bridge_killed_since(began)
        for promise in find_terminate_violations(kind, previous, measurement, bridge_killed=killed):
            self._results.record_violation(promise)
        self._count_lost(measurement, killed=killed)
        return measurement

    async def _request_measurement(self, op: str, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
        answer = await self._call(op, request)
        measurement: dict[str, Any] = answer.get("measurement") or {  # what the controller makes of it
            "phase": "Error",
            "message": answer["error"],
            "finishedAt": datetime.now(UTC).isoformat(),
        }
        return measurement, answer["elapsedMs"] / 1000

    def _count_lost(self, measurement: dict[str, Any], *, killed: bool) -> bool:
        lost = killed and is_lost_with_bridge(measurement)
        self._results.lost_with_bridge += lost
        return lost

    async def _call(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        self._results.call_counts[op] += 1
        try:
            answer = await self._processes.host.request(op, **request)
        except HostError as error:
            answer = {"error": str(error), "elapsedMs": 0.0}
        if contains_secret(json.dumps(answer)):
            self._results.record_violation(f"a secret in the answer to {op}: {answer}")
        took = answer["elapsedMs"] / 1000
        self._results.longest_seconds[op] = max(took, self._results.longest_seconds.get(op, 0.0))
        if took > _DEADLINES[op] + DEADLINE_TOLERANCE_SECONDS:
            self._results.record_violation(f"{op} took {took:.3f} s, its deadline is {_DEADLINES[op]} s")
        return answer


def _to_seconds(instant: str | None) -> float | None:
    return None if instant is None else datetime.fromisoformat(instant).timestamp()
