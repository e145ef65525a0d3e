"""CPU time of one condition without the fast path and without direct WASM calls (docs/adr/0013). Prints a table.

`python -m bench.condition_variants` measures the four combinations in turn, in one process. CPU time is compared,
because other load distorts wall time more.
"""

import asyncio
import resource
import statistics
import time
from unittest import mock

import uvloop
from wasmtime import Func, Store

from bench.conditions import CONDITION, RESULT
from skywalking_provider.conditions.expr import instance, scheduler
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.conditions.expr.instance import WasmCall

_EVALUATIONS = 5000
_REPETITIONS = 9


class PublicFunction:
    """A WASM function called by wasmtime's public API."""

    def __init__(self, store: Store, function: Func) -> None:
        self._store = store
        self._function = function

    def __call__(self, *arguments: int) -> int:
        return self._function(self._store, *arguments) or 0


class EmptyFastPath(scheduler.FastPathCache):
    """A fast path without entries."""

    def record_duration(self, call: WasmCall, cpu_seconds: float) -> None:
        """Add nothing."""


VARIANTS = {
    "fast path, direct calls": (scheduler.FastPathCache, instance.WasmFunction),
    "fast path, public API": (scheduler.FastPathCache, PublicFunction),
    "thread, direct calls": (EmptyFastPath, instance.WasmFunction),
    "thread, public API": (EmptyFastPath, PublicFunction),
}


async def _measure(language: ExprLanguage) -> tuple[float, float]:
    """Return the CPU time and the median wall time of an evaluation, in milliseconds."""
    wall = []
    began = _cpu_seconds()
    for _ in range(_EVALUATIONS):
        at = time.perf_counter()
        await language.evaluate(CONDITION, "", RESULT, timeout=10)
        wall.append(time.perf_counter() - at)
    return 1000 * (_cpu_seconds() - began) / _EVALUATIONS, 1000 * statistics.median(wall)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def main() -> None:
    """Measure all variants, in alternating order."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
    languages: dict[str, ExprLanguage] = {}
    for name, (fast_path, function) in VARIANTS.items():
        with mock.patch.object(scheduler, "FastPathCache", fast_path):
            languages[name] = await asyncio.to_thread(ExprLanguage)
        with mock.patch.object(instance, "WasmFunction", function):
            for _ in range(50):
                await languages[name].evaluate(CONDITION, "", RESULT, timeout=10)
    names = list(VARIANTS)
    for repetition in range(_REPETITIONS):
        for name in names if repetition % 2 == 0 else reversed(names):
            with mock.patch.object(instance, "WasmFunction", VARIANTS[name][1]):  # for an instance that is replaced
                results[name].append(await _measure(languages[name]))
    for language in languages.values():
        await language.close()
    print(f"{'variant':26} CPU ms: median (least to most)   wall ms: median")
    for name, rows in results.items():
        cpu = [row[0] for row in rows]
        wall = statistics.median(row[1] for row in rows)
        print(f"{name:26} {statistics.median(cpu):.4f} ({min(cpu):.4f} to {max(cpu):.4f})        {wall:.4f}")


if __name__ == "__main__":
    uvloop.run(main())
