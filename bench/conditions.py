"""Evaluation time of one condition on five values, through the evaluator and in the sandbox alone. Prints JSON."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence

from skywalking_provider.conditions import Limits, open_expr_evaluator
from skywalking_provider.conditions.expr.instance import Sandbox

CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9000})"
RESULT = json.dumps({"service_apdex": {"values": {"values": [{"value": 9500}] * 5}}}).encode()
_EVALUATIONS = 5000


async def measure_engine() -> list[float]:
    """Return the duration of each of the sequential evaluations, in seconds."""
    durations = []
    async with open_expr_evaluator() as expr:
        for _ in range(_EVALUATIONS):
            started_at = time.perf_counter()
            await expr.evaluate(CONDITION, "", RESULT, timeout=10)
            durations.append(time.perf_counter() - started_at)
    return durations


def measure_sandbox() -> tuple[list[float], float]:
    """Return the duration of each evaluation in seconds, and the hit ratio of the cache of compiled conditions."""
    durations = []
    sandbox = Sandbox(Limits().memory_bytes)
    instance = sandbox.new_instance()
    for _ in range(_EVALUATIONS):
        started_at = time.perf_counter()
        instance.call("evaluate", (CONDITION.encode(), b"", RESULT), 1.0)
        durations.append(time.perf_counter() - started_at)
    statistics_ = instance.statistics()
    instance.close()
    sandbox.close()
    return durations, statistics_.hits / (statistics_.hits + statistics_.misses)


def _format_quantiles_ms(durations: Sequence[float]) -> dict[str, float]:
    percentiles = statistics.quantiles(durations, n=100)
    return {"p50": round(1000 * percentiles[49], 4), "p99": round(1000 * percentiles[98], 4)}


def main() -> None:
    """Measure both and print the quantiles."""
    engine = asyncio.run(measure_engine())
    sandbox, hit_ratio = measure_sandbox()
    print(
        json.dumps(
            {
                "evaluations": _EVALUATIONS,
                "engineMs": _format_quantiles_ms(engine),
                "sandboxMs": _format_quantiles_ms(sandbox),
                "compiledCacheHitRatio": hit_ratio,
            }
        )
    )


if __name__ == "__main__":
    main()
