"""Conditions: what a template says about a result, and what comes of it.

`interface` is what the rest uses; `expr` is Argo's language behind it, run by `lanes` in the sandbox of `guest`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from skywalking_provider.conditions.interface import Conditions, Judged, Mistake
from skywalking_provider.conditions.limits import Limits
from skywalking_provider.model import Phase

if TYPE_CHECKING:
    from skywalking_provider.conditions.expr import ExprConditions

__all__ = ["Conditions", "Judged", "Limits", "Mistake", "open_conditions"]

# The very first answer includes the guest's start.
_WARM_SECONDS = 30.0


@asynccontextmanager
async def open_conditions(limits: Limits | None = None) -> AsyncIterator["ExprConditions"]:
    """Argo's language for as long as the context lasts, loaded and warm when the context begins.

    Raises:
        FileNotFoundError: The evaluator was not built.
        RuntimeError: It does not start.
    """
    # Not above: a worker of CEL imports this package too, and has no use for wasmtime.
    from skywalking_provider.conditions.expr import ExprConditions  # noqa: PLC0415

    # In a thread: where it must be compiled first, this takes seconds, and health has to answer meanwhile.
    conditions = await asyncio.to_thread(ExprConditions, limits)
    try:
        started = await conditions.value(b"0", timeout=_WARM_SECONDS)
        if started.phase is not Phase.SUCCESSFUL:
            raise RuntimeError(f"the condition language does not start: {started.message}")
        yield conditions
    finally:
        await conditions.close()
