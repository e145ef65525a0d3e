"""Whose conditions judge: the metric's own in Argo's language, or the block's in CEL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from skywalking_provider.conditions import Conditions, Judged, open_conditions
from skywalking_provider.conditions.cel import CelConditions
from skywalking_provider.conditions.expr import ExprConditions
from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.model import Deadline, Metric, Phase
from skywalking_provider.spec import Spec


@dataclass(frozen=True, slots=True)
class Written:
    """The conditions of one metric."""

    success: str
    failure: str
    cel: bool = False


def conditions_for(spec: Spec, metric: Metric) -> Written:
    """The conditions that count.

    Raises:
        ProviderError: BLOCK_INVALID, where both the metric and the block have some.
    """
    if spec.conditions is None:
        return Written(metric.success_condition, metric.failure_condition)
    if metric.success_condition or metric.failure_condition:
        raise ProviderError(
            Reason.BLOCK_INVALID,
            "the block under provider.plugin is wrong: conditions: the metric has a successCondition or"
            " failureCondition too",
            "those are always expr; keep either them or the block's",
        )
    return Written(spec.conditions.success, spec.conditions.failure, cel=True)


class Languages:
    """Both languages behind one question.

    Args:
        expr: Argo's; it also writes the value as Argo does.
        cel: The Common Expression Language.
    """

    def __init__(self, expr: ExprConditions, cel: Conditions) -> None:
        self._expr = expr
        self._cel = cel

    async def evaluate(self, written: Written, result: bytes, deadline: Deadline) -> Judged:
        """Judge a result, JSON, by the deadline; each language bounds itself within that.

        Raises:
            BackendAway: Nobody got to the conditions in time: no fault of theirs.
        """
        if not written.cel:
            return _answered(
                await self._expr.evaluate(written.success, written.failure, result, timeout=deadline.remaining)
            )
        judged = _answered(
            await self._cel.evaluate(written.success, written.failure, result, timeout=deadline.remaining)
        )
        if judged.phase is Phase.ERROR:
            return judged
        shown = _answered(await self._expr.value(result, timeout=deadline.remaining))
        return replace(judged, value=shown.value)


def _answered(judged: Judged) -> Judged:
    if judged.unanswered:
        raise BackendAway(judged.message, reason=Reason.PROVIDER_OVERLOADED)
    return judged


@asynccontextmanager
async def open_languages() -> AsyncIterator[Languages]:
    """Both languages for as long as the context lasts: expr warm, CEL started with its first question."""
    async with open_conditions() as expr:
        cel = CelConditions()
        try:
            yield Languages(expr, cel)
        finally:
            await cel.close()
