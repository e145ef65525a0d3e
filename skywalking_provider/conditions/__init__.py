"""Condition languages: successCondition and failureCondition of a metric, evaluated for its result.

`base` is the interface that other packages use. `expr` is Argo's language in a WebAssembly sandbox; `cel` is CEL in
worker processes. Both use `slow_conditions` and `limits`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from skywalking_provider.conditions.base import ConditionLanguage, ConditionProblem, Evaluation
from skywalking_provider.conditions.limits import Limits
from skywalking_provider.model import Phase

if TYPE_CHECKING:
    from skywalking_provider.conditions.expr.evaluator import ExprLanguage

__all__ = ["ConditionLanguage", "ConditionProblem", "Evaluation", "Limits", "open_expr_evaluator"]

# The first evaluation includes the start of the WASM instance.
_START_TIMEOUT_SECONDS = 30.0


@asynccontextmanager
async def open_expr_evaluator(limits: Limits | None = None) -> AsyncIterator["ExprLanguage"]:
    """Provide Argo's condition language, loaded and warmed up, until the context ends.

    Raises:
        FileNotFoundError: expr.wasm was not built.
        RuntimeError: The evaluator does not start.
    """
    # Imported here because the CEL worker imports this package too and does not need wasmtime.
    from skywalking_provider.conditions.expr.evaluator import ExprLanguage  # noqa: PLC0415

    # In a thread: compiling takes seconds, and health checks must be served meanwhile.
    language = await asyncio.to_thread(ExprLanguage, limits)
    try:
        started = await language.encode_value(b"0", timeout=_START_TIMEOUT_SECONDS)
        if started.phase is not Phase.SUCCESSFUL:
            raise RuntimeError(f"the condition evaluator does not start: {started.message}")
        yield language
    finally:
        await language.close()
