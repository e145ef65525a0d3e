"""Conditions: what a template says about a result, and what comes of it.

`interface` is what the rest uses; `expr` is Argo's language behind it, run by `lanes` in the sandbox of `guest`.
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

# The very first answer includes the guest's start.
_START_TIMEOUT_SECONDS = 30.0


@asynccontextmanager
async def open_expr_evaluator(limits: Limits | None = None) -> AsyncIterator["ExprLanguage"]:
    """Argo's language for as long as the context lasts, loaded and warm when the context begins.

    Raises:
        FileNotFoundError: The evaluator was not built.
        RuntimeError: It does not start.
    """
    # Not above: a worker of CEL imports this package too, and has no use for wasmtime.
    from skywalking_provider.conditions.expr.evaluator import ExprLanguage  # noqa: PLC0415

    # In a thread: where it must be compiled first, this takes seconds, and health has to answer meanwhile.
    conditions = await asyncio.to_thread(ExprLanguage, limits)
    try:
        started = await conditions.encode_value(b"0", timeout=_START_TIMEOUT_SECONDS)
        if started.phase is not Phase.SUCCESSFUL:
            raise RuntimeError(f"the condition language does not start: {started.message}")
        yield conditions
    finally:
        await conditions.close()
