"""Runs as Argo has them: their metrics at once, each from Run over Resume to its end, and everything noted."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.soak.canaries import KINDS, LEAKY, Kind, analysis_run, broken_promises, leaked
from bench.soak.parts import RUN_TIMEOUT_SECONDS, Parts
from skywalking_provider.demo.host import HostError

LATE_SECONDS = 0.25
_DEADLINES = {"run": RUN_TIMEOUT_SECONDS, "resume": RUN_TIMEOUT_SECONDS, "terminate": 2.0, "metadata": 2.0, "gc": 2.0}
_KEPT = 20


@dataclass(slots=True)
class Ledger:
    """What came of it."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    lost_with_the_bridge: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """Begun and not ended."""
        return self.begun.total() - self.ended.total()

    def breaks(self, promise: str) -> None:
        """Note a broken promise."""
        self.broken += 1
        if len(self.examples) < _KEPT:
            self.examples.append(f"{datetime.now(UTC):%H:%M:%S} {promise}")


class Load:
    """So many runs a second, whatever becomes of those before."""

    def __init__(self, parts: Parts, ledger: Ledger) -> None:
        self._parts, self._ledger = parts, ledger

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
        async with asyncio.TaskGroup() as metrics:
            for kind in kinds:
                metrics.create_task(self._measure(run, kind, number))
        metric = KINDS[0].metric(number)
        await self._call("metadata", {"metric": metric})
        if number % 10 == 0:
            await self._call("gc", {"run": run, "metric": metric, "limit": 10})

    async def _measure(self, run: dict[str, Any], kind: Kind, number: int) -> None:
        self._ledger.begun[kind.name] += 1
        request = {"run": run, "metric": kind.metric(number)}
        measurement = await self._answer("run", kind, request)
        while measurement["phase"] == "Running":
            self._ledger.waits[measurement["message"].partition(" ")[0]] += 1
            await asyncio.sleep(max(0.0, (_seconds(measurement.get("resumeAt")) or 0.0) - time.time()))
            measurement = await self._answer("resume", kind, request | {"measurement": measurement})
        self._ledger.ended[kind.name, measurement["phase"]] += 1

    async def _answer(self, op: str, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
        began = time.monotonic()
        answer = await self._call(op, request)
        measurement: dict[str, Any] = answer.get("measurement") or {  # what the controller makes of it
            "phase": "Error",
            "message": answer["error"],
            "finishedAt": datetime.now(UTC).isoformat(),
        }
        instants = {key: _seconds(measurement.get(key)) for key in ("resumeAt", "finishedAt")}
        killed = self._parts.bridge_killed_since(began)
        for promise in broken_promises(kind, measurement | instants, time.time(), bridge_killed=killed):
            self._ledger.breaks(promise)
        if measurement["phase"] == "Error" and killed:
            self._ledger.lost_with_the_bridge += 1
        return measurement

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
