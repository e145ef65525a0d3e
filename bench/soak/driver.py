"""Load driver of a soak test: analysis runs as Argo executes them, with every call checked and recorded."""

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
"""Argo's `--analysis-threads`: each worker has one run at a time and calls all its metrics in parallel."""
_ABORT_EVERY = 8
"""One run in eight is aborted up to 4 s after its start; its Running measurements are then terminated."""
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
        """Return whether no call follows. Terminate is called once, with any result."""
        return self.terminated or (self.measurement is not None and self.measurement["phase"] != "Running")

    @property
    def due_at(self) -> float:
        """Return the time of the next call, in seconds since the epoch."""
        return _to_seconds(self.measurement.get("resumeAt")) or 0.0 if self.measurement else 0.0


class LoadDriver:
    """Open-loop load: runs start at a constant rate, independent of earlier ones, and share the workers as in Argo."""

    def __init__(self, processes: SoakProcesses, results: SoakResults, observations: Observations) -> None:
        self._processes, self._results, self._observations = processes, results, observations
        self._workers = asyncio.Semaphore(WORKERS)

    async def run(self, runs_per_second: float, seconds: float) -> None:
        """Start runs for this many seconds and follow each to its end."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        async with asyncio.TaskGroup() as runs:
            for number in range(int(runs_per_second * seconds)):
                await asyncio.sleep(started_at + number / runs_per_second - loop.time())
                runs.create_task(self._run(number))

    async def _run(self, number: int) -> None:
        run = build_analysis_run(number)
        kinds = (*METRIC_KINDS[:-1], SECRET_KIND) if number % 10 == 0 else METRIC_KINDS
        measurements = [SoakMeasurement(kind, kind.build_metric(number)) for kind in kinds]
        for kind in kinds:
            self._results.start_counts[kind.name] += 1
        abort_at = time.time() + number % 5 if number % _ABORT_EVERY == 0 else math.inf
        while unfinished := [one for one in measurements if not one.is_finished]:
            await asyncio.sleep(min(abort_at, *(one.due_at for one in unfinished)) - time.time())
            aborting = time.time() >= abort_at
            async with self._workers, asyncio.TaskGroup() as calls:
                for one in unfinished:
                    if aborting or one.due_at <= time.time():
                        calls.create_task(self._advance(run, one, aborting=aborting))
        await self._call("metadata", {"metric": measurements[0].metric})
        if number % 10 == 0:
            await self._call("gc", {"run": run, "metric": measurements[0].metric, "limit": 10})

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
        measurement, duration = await self._request_measurement(op, request)
        times = {key: _to_seconds(measurement.get(key)) for key in ("resumeAt", "finishedAt")}
        killed = self._processes.bridge_killed_since(began)
        for violation in find_violations(kind, measurement | times, time.time(), bridge_killed=killed):
            self._results.record_violation(violation)
        lost = self._count_lost(measurement, killed=killed)
        wait = measurement["message"].partition(" ")[0] if measurement["phase"] == "Running" else None
        self._observations.record_response(duration, wait, lost=lost)
        return measurement

    async def _terminate(self, kind: MetricKind, request: dict[str, Any], previous: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        measurement, _ = await self._request_measurement("terminate", request | {"measurement": previous})
        killed = self._processes.bridge_killed_since(began)
        for violation in find_terminate_violations(kind, previous, measurement, bridge_killed=killed):
            self._results.record_violation(violation)
        self._count_lost(measurement, killed=killed)
        return measurement

    async def _request_measurement(self, op: str, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
        response = await self._call(op, request)
        measurement: dict[str, Any] = response.get("measurement") or {  # the controller's result for an error
            "phase": "Error",
            "message": response["error"],
            "finishedAt": datetime.now(UTC).isoformat(),
        }
        return measurement, response["elapsedMs"] / 1000

    def _count_lost(self, measurement: dict[str, Any], *, killed: bool) -> bool:
        lost = killed and is_lost_with_bridge(measurement)
        self._results.lost_with_bridge += lost
        return lost

    async def _call(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        self._results.call_counts[op] += 1
        try:
            response = await self._processes.host.request(op, **request)
        except HostError as error:
            response = {"error": str(error), "elapsedMs": 0.0}
        if contains_secret(json.dumps(response)):
            self._results.record_violation(f"the response to {op} contains a secret: {response}")
        duration = response["elapsedMs"] / 1000
        self._results.longest_seconds[op] = max(duration, self._results.longest_seconds.get(op, 0.0))
        if duration > _DEADLINES[op] + DEADLINE_TOLERANCE_SECONDS:
            self._results.record_violation(f"{op} took {duration:.3f} s, its deadline is {_DEADLINES[op]} s")
        return response


def _to_seconds(time_text: str | None) -> float | None:
    return None if time_text is None else datetime.fromisoformat(time_text).timestamp()
