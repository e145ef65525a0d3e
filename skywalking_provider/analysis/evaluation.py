"""Evaluation of a metric's conditions: Argo's own in expr, or the block's in CEL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from skywalking_provider.block import Spec
from skywalking_provider.block.unresolved import HINT as UNRESOLVED_HINT
from skywalking_provider.block.unresolved import find_unresolved_argument
from skywalking_provider.conditions import ConditionLanguage, Evaluation, open_expr_evaluator
from skywalking_provider.conditions.cel.evaluator import CelLanguage
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Deadline, Metric, Phase


@dataclass(frozen=True, slots=True)
class MetricConditions:
    """Conditions of one metric.

    Attributes:
        success: Success condition; empty if there is none.
        failure: Failure condition; empty if there is none.
        cel: Whether they are CEL expressions.
    """

    success: str
    failure: str
    cel: bool = False

    @property
    def written(self) -> bool:
        """Whether there is a condition."""
        return bool(self.success or self.failure)


def select_conditions(spec: Spec, metric: Metric) -> MetricConditions:
    """Return the conditions that apply: the block's, or else the metric's.

    Raises:
        ProviderError: BLOCK_INVALID, if both the metric and the block have conditions, or Argo left an argument in one.
    """
    _check_arguments(metric)
    if spec.conditions is None:
        return MetricConditions(metric.success_condition, metric.failure_condition)
    if metric.success_condition or metric.failure_condition:
        raise ProviderError(
            Reason.BLOCK_INVALID,
            "the block of the metric is invalid: conditions: the metric has a successCondition or"
            " failureCondition, too",
            "Remove the metric's conditions, or those of the block",
        )
    return MetricConditions(spec.conditions.success, spec.conditions.failure, cel=True)


def _check_arguments(metric: Metric) -> None:
    """Reject an argument that Argo left in a condition: inside a text it would be compared as it is."""
    for key, condition in (
        ("successCondition", metric.success_condition),
        ("failureCondition", metric.failure_condition),
    ):
        if argument := find_unresolved_argument(condition):
            raise ProviderError(Reason.BLOCK_INVALID, f"{key}: {argument} was not replaced", UNRESOLVED_HINT)


class ConditionEvaluator:
    """Both condition languages behind one interface.

    Args:
        expr: Argo's language. It also encodes the value as Argo does.
        cel: Common Expression Language.
    """

    def __init__(self, expr: ExprLanguage, cel: ConditionLanguage) -> None:
        self._expr = expr
        self._cel = cel

    @property
    def healthy(self) -> bool:
        """Whether every language that is in use could start its evaluators the last time."""
        return self._expr.healthy and self._cel.healthy

    async def recover(self) -> None:
        """Try to start the evaluators that could not be started."""
        await self._expr.recover()
        await self._cel.recover()

    async def evaluate(
        self, conditions: MetricConditions, result: bytes, deadline: Deadline, namespace: str
    ) -> Evaluation:
        """Evaluate conditions on a result.

        Args:
            conditions: Conditions of the metric.
            result: Result in JSON.
            deadline: Deadline of the evaluation. Each language has further limits within it.
            namespace: Namespace of the measurement. Namespaces share the evaluators fairly.

        Raises:
            BackendUnavailableError: The evaluation did not start before the deadline, because the provider is
                overloaded.
        """
        success, failure = conditions.success, conditions.failure
        language = self._cel if conditions.cel else self._expr
        evaluation = _require_evaluated(
            await language.evaluate(success, failure, result, timeout=deadline.remaining, namespace=namespace)
        )
        if not conditions.cel or evaluation.phase is Phase.ERROR:
            return evaluation
        encoded = _require_evaluated(
            await self._expr.encode_value(result, timeout=deadline.remaining, namespace=namespace)
        )
        return replace(evaluation, value=encoded.value)


def _require_evaluated(evaluation: Evaluation) -> Evaluation:
    if evaluation.not_evaluated:
        raise BackendUnavailableError(evaluation.message, kind=FailureKind.OVERLOADED)
    return evaluation


@asynccontextmanager
async def open_condition_evaluator() -> AsyncIterator[ConditionEvaluator]:
    """Open both languages: expr is warm, CEL starts its worker with the first evaluation."""
    async with open_expr_evaluator() as expr:
        cel = CelLanguage()
        try:
            yield ConditionEvaluator(expr, cel)
        finally:
            await cel.close()
