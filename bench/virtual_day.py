"""Memory of the service's engine over a day and a half of virtual time. Prints JSON.

The clocks of the engine, of its caches and of the static OAP are set by hand: a minute takes as long as its
measurements. `python -m bench.virtual_day URL` needs the address of the static OAP.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import uvloop

from bench.cpu_affinity import resident_mib
from bench.processes import StaticOap
from bench.rollout_schedule import SERVICES, Rollout, rollouts_in_progress
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.block import parse_block
from skywalking_provider.config import BackendConfig
from skywalking_provider.history.store import History
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends

MINUTES: Final = 36 * 60
INTERVAL: Final = 3  # minutes between the measurements of a metric
_START: Final = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
_HISTORY: Final = 500  # measurements, the default of the page
_NAMESPACES: Final = 5
_EARLIER: Final = 1_000_000  # number of the first rollout before the day
_EARLIER_ROLLOUTS: Final = 700  # their blocks are more than the cache of blocks holds


@dataclass(slots=True)
class VirtualClock:
    """A clock that is set by hand.

    Attributes:
        minute: Minutes since the start of the day.
    """

    minute: int = 0

    def now(self) -> datetime:
        """Return the time of the day."""
        return _START + timedelta(minutes=self.minute)

    def monotonic(self) -> float:
        """Return the seconds since the start of the day."""
        return 60.0 * self.minute


class Day:
    """A day of measurements: each rollout in progress measures all its metrics every three minutes.

    Args:
        engine: Engine of the service.
        oap: The static OAP.
        clock: Clock of both.
    """

    def __init__(self, engine: Engine, oap: StaticOap, clock: VirtualClock) -> None:
        self._engine = engine
        self._oap = oap
        self._clock = clock
        # State: hashes of the services, measurements in progress, and what was counted.
        self._hashes = [Rollout(service - SERVICES, 0).hashes for service in range(SERVICES)]
        self._waiting: dict[tuple[int, str], Measurement] = {}
        self._phases: Counter[str] = Counter()
        self._rollouts: set[int] = set()
        self._requests = 0

    async def run(self) -> dict[str, Any]:
        """Run the day and return its row."""
        hours, began = [], time.monotonic()
        for minute in range(INTERVAL, MINUTES + 1, INTERVAL):
            self._clock.minute = minute
            await self._measure_minute()
            if minute % 60 == 0:
                objects = len(gc.get_objects())
                hours.append({"hour": minute // 60, "residentMiB": resident_mib(os.getpid()), "objects": objects})
        return {
            "hours": hours,
            "rollouts": len(self._rollouts),
            "phases": dict(self._phases),
            "oapRequests": self._requests,
            "seconds": round(time.monotonic() - began, 1),
        }

    async def _measure_minute(self) -> None:
        rollouts = list(rollouts_in_progress(self._clock.minute))
        for rollout in rollouts:
            self._hashes[rollout.service] = rollout.hashes
        now_ms = int(1000 * self._clock.now().timestamp())
        self._oap.configure(delay_ms=0, workers=0, services=SERVICES, clock_ms=now_ms, hashes=self._hashes)
        numbers = {rollout.number for rollout in rollouts}
        self._rollouts |= numbers
        self._waiting = {key: one for key, one in self._waiting.items() if key[0] in numbers}
        await asyncio.gather(
            *(self._measure(rollout, metric) for rollout in rollouts for metric in list_metrics(rollout))
        )
        self._requests += sum(self._oap.fetch_statistics()["requests"].values())

    async def _measure(self, rollout: Rollout, metric: Metric) -> None:
        key, run = (rollout.number, metric.name), build_run(rollout)
        deadline = Deadline.after(60)
        if waiting := self._waiting.pop(key, None):
            measurement = await self._engine.resume(metric, run, waiting, deadline)
        else:
            measurement = await self._engine.run(metric, run, deadline)
        if measurement.phase is Phase.RUNNING:
            self._waiting[key] = measurement
        self._phases[measurement.phase.value] += 1


def list_metrics(rollout: Rollout) -> Iterator[Metric]:
    """Yield the metrics of a rollout: two with a threshold, two that are judged."""
    canary, stable = ({"podTemplateHash": one} for one in rollout.hashes)
    compare = {"instances": canary, "compare": {"instances": stable}}
    for name, condition, keys in (
        ("success-rate", "result >= 0.9", {"sli": "success-rate", "window": "5m", "instances": canary}),
        ("latency", "result <= 2000", {"sli": "latency", "percentile": 99, "window": "5m", "since": "window"}),
        ("judged-success-rate", "", {"sli": "success-rate", **compare}),
        ("judged-latency", "", {"sli": "latency", **compare}),
    ):
        block = {"service": f"canary|svc-{rollout.service:04d}|bookinfo|cluster-1|-", **keys}
        yield Metric(name, condition, "", json.dumps(block).encode())


def build_run(rollout: Rollout) -> Run:
    """Return the analysis run of a rollout."""
    name, began = f"rollout-{rollout.number}", _START + timedelta(minutes=rollout.start)
    namespace = f"team-{rollout.service % _NAMESPACES}"
    return Run(namespace=namespace, name=name, uid=name, created_at=began, started_at=began)


def fill_block_cache() -> None:
    """Parse the blocks of earlier rollouts. The cache of blocks fills in two days, and this day is a later one."""
    for number in range(_EARLIER, _EARLIER + _EARLIER_ROLLOUTS):
        for metric in list_metrics(Rollout(number, 0)):
            parse_block(metric.block)


async def run_day(url: str) -> dict[str, Any]:
    """Open the engine as the service does, with the history of its page, and run the day."""
    clock = VirtualClock()
    async with AsyncExitStack() as stack:
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        configs = {"prod": BackendConfig.model_validate({"url": url})}
        backends = await stack.enter_async_context(open_backends(configs, clock.now, monotonic=clock.monotonic))
        history = History(_HISTORY, clock.now)
        engine = Engine(backends, evaluator, clock.now, [history.add], clock.monotonic)
        gc.collect()
        gc.freeze()
        fill_block_cache()
        return await Day(engine, StaticOap(url), clock).run()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run_day(sys.argv[1]))))
