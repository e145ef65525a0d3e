"""Evaluation of an expression for an entity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skywalking_provider.mock_oap.duration import Duration
from skywalking_provider.mock_oap.entity_ids import EntityKey, resolve_entity
from skywalking_provider.mock_oap.metric_catalog import METRICS, MetricDefinition, MetricType
from skywalking_provider.mock_oap.mqe import ast, functions
from skywalking_provider.mock_oap.mqe.arithmetic import calculate
from skywalking_provider.mock_oap.mqe.result import EvaluationError, Label, Result, ResultRow, ResultType, Value
from skywalking_provider.mock_oap.ranking import ParentService, rank_entities
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import (
    UNSUPPORTED_FUNCTIONS,
    UnsupportedError,
    reject_unsupported_metric,
)
from skywalking_provider.mock_oap.versions import MqeVersion, OapVersion


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates expressions for one entity over one duration."""

    store: Store
    oap_version: OapVersion
    mqe_version: MqeVersion
    entity: Mapping[str, Any]
    duration: Duration

    def evaluate(self, node: ast.Node) -> Result:
        """Return the result, which has an `error` if OAP rejects the operation."""
        try:
            return self._evaluate(node)
        except (EvaluationError, UnsupportedError) as error:
            return Result.from_error(str(error))

    def _evaluate(self, node: ast.Node) -> Result:
        match node:
            case ast.Scalar():
                return Result.single(node.value, self._computed_labels)
            case ast.MetricNode():
                return self._metric(node, self.duration)
            case ast.Binary():
                return self._binary(node)
            case ast.FirstPresent():
                return self._choose(node)
            case ast.TopN():
                return self._top(node)
            case ast.Trend():
                return self._trend(node)
            case _:
                return self._apply(node)

    @property
    def _computed_labels(self) -> tuple[Label, ...] | None:
        return () if self.mqe_version.computed_has_labels else None

    def _binary(self, node: ast.Binary) -> Result:
        left = self.evaluate(node.left)
        if left.error:
            return left
        right = self.evaluate(node.right)
        return right if right.error else calculate(node.sign, left, right, self._computed_labels)

    def _choose(self, node: ast.FirstPresent) -> Result:
        results = []
        for one in node.operands:
            results.append(self.evaluate(one))
            if results[-1].present:
                break
        if node.function == "is_present":
            return Result.single(float(results[-1].present))
        return results[-1] if results[-1].present else results[0]

    def _apply(
        self,
        node: ast.Aggregate | ast.Mathematics | ast.AggregateLabels | ast.Relabel,
    ) -> Result:
        operand = self.evaluate(node.operand)
        if operand.error:
            return operand
        match node:
            case ast.Aggregate():
                return functions.aggregate(node.function, operand)
            case ast.Mathematics():
                return functions.mathematics(node.function, node.digits, operand)
            case ast.AggregateLabels() | ast.Relabel() if not operand.labeled:
                return replace(operand, error="The operand is not a labeled result.")
            case ast.Relabel():
                return functions.relabel(node.old, node.new, operand)
            case ast.AggregateLabels():
                return functions.aggregate_labels(node.function, node.label_names, operand)

    def _trend(self, node: ast.Trend) -> Result:
        if node.steps < 1:
            raise EvaluationError("The trend range must be greater than 0.")
        operand = self._metric(node.metric, self.duration.with_earlier_start(node.steps))
        if operand.error:
            return operand
        if operand.type is not ResultType.SERIES:
            return replace(operand, error=f"The operand of {node.function} is not a time series.")
        return functions.trend(node.function, node.steps, self.duration.step.width.total_seconds(), operand)

    # -- reading metrics

    def _metric(self, node: ast.MetricNode, duration: Duration) -> Result:
        metric = self._metric_definition(node)
        key = resolve_entity(self.entity, metric.scope, self.oap_version)
        if metric.type is MetricType.LABELED:
            return self._labeled(metric, node, key, duration)
        if key is None and self.mqe_version.illegal_entity_is_unknown:
            return Result(ResultType.UNKNOWN)
        values = tuple(
            Value(None if key is None else _float(self.store.value(metric, key, bucket)), str(bucket.millis))
            for bucket in duration.buckets
        )
        return Result(ResultType.SERIES, (ResultRow(values),))

    def _labeled(
        self, metric: MetricDefinition, node: ast.MetricNode, key: EntityKey | None, duration: Duration
    ) -> Result:
        percentiles = [
            None if key is None else self.store.percentiles(metric, key, bucket) for bucket in duration.buckets
        ]
        name, known = self.oap_version.percentile_key, self.oap_version.percentile_labels
        requested = [value for given, values in node.labels for value in values.split(",") if given == name]
        if node.labels and not self.oap_version.labels_by_key:
            chosen = sorted(set(requested))  # the first generation responds with those of the request, known or not
        else:
            chosen = [label for label in known if not node.labels or label in requested] if any(percentiles) else []
        rows = []
        for label in chosen:
            index = known.index(label) if label in known else -1
            values = tuple(
                Value(float(row[index]) if row and index >= 0 else None, str(bucket.millis))
                for bucket, row in zip(duration.buckets, percentiles, strict=True)
            )
            rows.append(ResultRow(values, ((name, label),)))
        return Result(ResultType.SERIES, tuple(rows), labeled=True)

    def _top(self, node: ast.TopN) -> Result:
        metric = self._metric_definition(node.metric)
        if metric.type is MetricType.LABELED:
            raise EvaluationError(f"Metric: [{metric.name}] is labeled value, does not support top_n query.")
        if node.count <= 0:
            raise EvaluationError("TopN value must be > 0.")
        service, normal = self.entity.get("serviceName"), self.entity.get("normal")
        parent = ParentService(service, normal is True) if service else None
        ranked = rank_entities(self.store, metric, parent, self.duration, descending=node.descending)
        values = tuple(Value(float(one.value), one.name, one.key) for one in ranked[: node.count])
        return Result(ResultType.SORTED, (ResultRow(values),))

    def _metric_definition(self, node: ast.MetricNode) -> MetricDefinition:
        if node.name in UNSUPPORTED_FUNCTIONS[self.oap_version.version]:
            raise UnsupportedError(f"the function {node.name}")
        if node.name not in METRICS:
            reject_unsupported_metric(node.name)
            raise EvaluationError(self.mqe_version.unknown_metric_message.format(node.name))
        return METRICS[node.name]


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)
