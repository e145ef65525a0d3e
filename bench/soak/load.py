"""Runs as Argo has them: their metrics at once, each from Run over Resume to its end, and everything noted."""

import asyncio
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.soak.bites import Record
from bench.soak.canaries import (
    KINDS,
    LEAKY,
    Kind,
    analysis_run,
    broken_end,
    broken_promises,
    leaked,
    lost_with_the_bridge,
)
from bench.soak.ledger import Ledger
from bench.soak.parts import RUN_TIMEOUT_SECONDS, Parts
from skywalking_provider.demo.host import HostError

LATE_SECONDS = 0.25
WORKERS = 30
"""Argo's `--analysis-threads`: each has one run at a time and calls all its metrics at once."""
_ABORTED_EVERY = 8
"""One run in so many is aborted, up to four seconds after it began: what of it is Running then is terminated."""
_DEADLINES = {"run": RUN_TIMEOUT_SECONDS, "resume": RUN_TIMEOUT_SECONDS, "terminate": 2.0, "metadata": 2.0, "gc": 2.0}


@dataclass(slots=True)
class Measure:
    """One measurement of a run."""

    kind: Kind
    metric: dict[str, Any]
    measurement: dict[str, Any] | None = None
    terminated: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more is asked about it; whatever Terminate answers, it is asked once."""
        return self.terminated or (self.measurement is not None and self.measurement["phase"] != "Running")

    @property
    def due(self) -> float:
        """When it is to be called next, as seconds of the clock."""
        return _seconds(self.measurement.get("resumeAt")) or 0.0 if self.measurement else 0.0


class Load:
    """So many runs a second, whatever becomes of those before; the workers take them as Argo's do."""

    def __init__(self, parts: Parts, ledger: Ledger, record: Record) -> None:
        self._parts, self._ledger, self._record = parts, ledger, record
        self._workers = asyncio.Semaphore(WORKERS)

    async def bear(self, runs_per_second: float, seconds: float) -> None:
        """Begin runs for so long, and follow them to their ends."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as runs:
            for number in range(int(runs_per_second * seconds)):
                await asyncio.sleep(began + number / runs_per_second - loop.time())
                runs.create_task(self._run(number))

    async def _run(self, number: int) -> None:
        run = analysis_run(number)
        kinds = (*KINDS[:-1], LEAKY) if number % 10 == 0 else KINDS
        measures = [Measure(kind, kind.metric(number)) for kind in kinds]
        for kind in kinds:
            self._ledger.begun[kind.name] += 1
        aborted = time.time() + number % 5 if number % _ABORTED_EVERY == 0 else math.inf
        while open_ones := [one for one in measures if not one.ended]:
            await asyncio.sleep(min(aborted, *(one.due for one in open_ones)) - time.time())
            aborting = time.time() >= aborted
            async with self._workers, asyncio.TaskGroup() as calls:
                for one in open_ones:
                    if aborting or one.due <= time.time():
                        calls.create_task(self._go_on(run, one, aborting=aborting))
        await self._call("metadata", {"metric": measures[0].metric})
        if number % 10 == 0:
            await self._call("gc", {"run": run, "metric": measures[0].metric, "limit": 10})

    async def _go_on(self, run: dict[str, Any], one: Measure, *, aborting: bool) -> None:
        request = {"run": run, "metric": one.metric}
        if one.measurement is None:
            one.measurement = await self._measure("run", one.kind, request)
        elif aborting:
            one.measurement = await self._terminate(one.kind, request, one.measurement)
            one.terminated = True
        else:
            one.measurement = await self._measure("resume", one.kind, request | {"measurement": one.measurement})
        if one.ended:
            phase = one.measurement["phase"]
            self._ledger.ended[one.kind.name, f"{phase} by Terminate" if one.terminated else phase] += 1

    async def _measure(self, op: str, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        measurement, took = await self._measurement(op, request)
        instants = {key: _seconds(measurement.get(key)) for key in ("resumeAt", "finishedAt")}
        killed = self._parts.bridge_killed_since(began)
        for promise in broken_promises(kind, measurement | instants, time.time(), bridge_killed=killed):
            self._ledger.breaks(promise)
        lost = self._lost(measurement, killed=killed)
        wait = measurement["message"].partition(" ")[0] if measurement["phase"] == "Running" else None
        self._record.answer(took, wait, lost=lost)
        return measurement

    async def _terminate(self, kind: Kind, request: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        measurement, _ = await self._measurement("terminate", request | {"measurement": before})
        killed = self._parts.bridge_killed_since(began)
        for promise in broken_end(kind, before, measurement, bridge_killed=killed):
            self._ledger.breaks(promise)
        self._lost(measurement, killed=killed)
        return measurement

    async def _measurement(self, op: str, request: dict[str, Any]) -> tuple[dict[str, Any], float]:
        answer = await self._call(op, request)
        measurement: dict[str, Any] = answer.get("measurement") or {  # what the controller makes of it
            "phase": "Error",
            "message": answer["error"],
            "finishedAt": datetime.now(UTC).isoformat(),
        }
        return measurement, answer["elapsedMs"] / 1000

    def _lost(self, measurement: dict[str, Any], *, killed: bool) -> bool:
        lost = killed and lost_with_the_bridge(measurement)
        self._ledger.lost_with_the_bridge += lost
        return lost

    async def _call(self, op: str, request: dict[str, Any]) -> dict[str, Any]:
        self._ledger.calls[op] += 1
        try:
            answer = await self._parts.host.ask(op, **request)
        except HostError as error:
            answer = {"error": str(error), "elapsedMs": 0.0}
        if leaked(json.dumps(answer)):
            self._ledger.breaks(f"a secret in the answer to {op}: {answer}")
        took = answer["elapsedMs"] / 1000
        self._ledger.longest[op] = max(took, self._ledger.longest.get(op, 0.0))
        if took > _DEADLINES[op] + LATE_SECONDS:
            self._ledger.breaks(f"{op} took {took:.3f} s, its deadline is {_DEADLINES[op]} s")
        return answer


def _seconds(instant: str | None) -> float | None:
    return None if instant is None else datetime.fromisoformat(instant).timestamp()
