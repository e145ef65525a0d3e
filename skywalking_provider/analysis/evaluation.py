"""Whose conditions judge: the metric's own in Argo's language, or the block's in CEL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from skywalking_provider.block import Spec
from skywalking_provider.conditions import ConditionLanguage, Evaluation, open_expr_evaluator
from skywalking_provider.conditions.cel.evaluator import CelLanguage
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Deadline, Metric, Phase


@dataclass(frozen=True, slots=True)
class MetricConditions:
    """The conditions of one metric."""

    success: str
    failure: str
    cel: bool = False


def select_conditions(spec: Spec, metric: Metric) -> MetricConditions:
    """The conditions that count.

    Raises:
        ProviderError: BLOCK_INVALID, where both the metric and the block have some.
    """
    if spec.conditions is None:
        return MetricConditions(metric.success_condition, metric.failure_condition)
    if metric.success_condition or metric.failure_condition:
        raise ProviderError(
            Reason.BLOCK_INVALID,
            "the block under provider.plugin is invalid: conditions: the metric has a successCondition or"
            " failureCondition too",
            "those are always expr; keep either them or the block's",
        )
    return MetricConditions(spec.conditions.success, spec.conditions.failure, cel=True)


class ConditionEvaluator:
    """Both languages behind one question.

    Args:
        expr: Argo's; it also writes the value as Argo does.
        cel: The Common Expression Language.
    """

    def __init__(self, expr: ExprLanguage, cel: ConditionLanguage) -> None:
        self._expr = expr
        self._cel = cel

    async def evaluate(self, conditions: MetricConditions, result: bytes, deadline: Deadline) -> Evaluation:
        """Judge a result, JSON, by the deadline; each language bounds itself within that.

        Raises:
            BackendAway: Nobody got to the conditions in time: no fault of theirs.
        """
        if not conditions.cel:
            return _require_evaluated(
                await self._expr.evaluate(conditions.success, conditions.failure, result, timeout=deadline.remaining)
            )
        judged = _require_evaluated(
            await self._cel.evaluate(conditions.success, conditions.failure, result, timeout=deadline.remaining)
        )
        if judged.phase is Phase.ERROR:
            return judged
        shown = _require_evaluated(await self._expr.encode_value(result, timeout=deadline.remaining))
        return replace(judged, value=shown.value)


def _require_evaluated(evaluation: Evaluation) -> Evaluation:
    if evaluation.not_evaluated:
        raise BackendUnavailableError(evaluation.message, kind=FailureKind.OVERLOADED)
    return evaluation


@asynccontextmanager
async def open_condition_evaluator() -> AsyncIterator[ConditionEvaluator]:
    """Both languages for as long as the context lasts: expr warm, CEL started with its first question."""
    async with open_expr_evaluator() as expr:
        cel = CelLanguage()
        try:
            yield ConditionEvaluator(expr, cel)
        finally:
            await cel.close()
