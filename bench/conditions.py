"""The price of one condition on five values: as the engine asks it, and in the sandbox alone. Prints JSON."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence

from skywalking_provider.conditions import Limits, open_expr_evaluator
from skywalking_provider.conditions.expr.instance import Sandbox

CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9000})"
RESULT = json.dumps({"service_apdex": {"values": {"values": [{"value": 9500}] * 5}}}).encode()
_TIMES = 5000


async def measure_engine() -> list[float]:
    """Seconds of each evaluation, one after the other."""
    took = []
    async with open_expr_evaluator() as expr:
        for _ in range(_TIMES):
            began = time.perf_counter()
            await expr.evaluate(CONDITION, "", RESULT, timeout=10)
            took.append(time.perf_counter() - began)
    return took


def measure_sandbox() -> tuple[list[float], float]:
    """Seconds of each evaluation, and the share of them whose condition was compiled before."""
    took = []
    sandbox = Sandbox(Limits().memory_bytes)
    guest = sandbox.new_instance()
    for _ in range(_TIMES):
        began = time.perf_counter()
        guest.call("evaluate", (CONDITION.encode(), b"", RESULT), 1.0)
        took.append(time.perf_counter() - began)
    account = guest.statistics()
    guest.close()
    sandbox.close()
    return took, account.hits / (account.hits + account.misses)


def _format_quantiles_ms(durations: Sequence[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(durations, n=100)
    return {"p50": round(1000 * hundredths[49], 4), "p99": round(1000 * hundredths[98], 4)}


def main() -> None:
    """Measure both."""
    engine = asyncio.run(measure_engine())
    sandbox, hits = measure_sandbox()
    print(
        json.dumps(
            {
                "times": _TIMES,
                "engineMs": _format_quantiles_ms(engine),
                "sandboxMs": _format_quantiles_ms(sandbox),
                "compiledBefore": hits,
            }
        )
    )


if __name__ == "__main__":
    main()
