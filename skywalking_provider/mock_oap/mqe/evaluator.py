"""From an expression and an entity to a result, reading the metrics it names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skywalking_provider.mock_oap.duration import Duration
from skywalking_provider.mock_oap.entity_ids import EntityKey, MetricScope, resolve_entity
from skywalking_provider.mock_oap.metric_catalog import METRICS, MetricDefinition, MetricType
from skywalking_provider.mock_oap.mqe import ast, functions
from skywalking_provider.mock_oap.mqe.arithmetic import OPERATIONS, combine
from skywalking_provider.mock_oap.mqe.result import EvaluationError, Label, Result, ResultType, Row, Value
from skywalking_provider.mock_oap.store import Store
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
        """The result; what OAP refuses is a result with an error."""
        try:
            return self._evaluate(node)
        except EvaluationError as refused:
            return Result.from_error(str(refused))

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
        return right if right.error else combine(left, right, OPERATIONS[node.sign], self._computed_labels)

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
        node: ast.Aggregate | ast.Mathematics | ast.Relabel | ast.AggregateLabels | ast.SortValues | ast.SortLabels,
    ) -> Result:
        of = self.evaluate(node.operand)
        if of.error:
            return of
        if isinstance(node, ast.Relabel | ast.AggregateLabels) and not of.labeled:
            return replace(of, error=f"The result of expression [{node.operand.text}] is not a labeled result.")
        match node:
            case ast.Aggregate():
                return functions.aggregate(node.function, of)
            case ast.Mathematics():
                return functions.mathematics(node.function, node.digits, of)
            case ast.Relabel():
                return functions.relabel(node.old, node.new, of)
            case ast.AggregateLabels():
                return functions.aggregate_labels(node.function, node.label_names, of)
            case ast.SortValues():
                return functions.sort_values(descending=node.descending, limit=node.limit, result=of)
            case ast.SortLabels():
                return functions.sort_labels(node.names, descending=node.descending, result=of)

    def _trend(self, node: ast.Trend) -> Result:
        if node.steps < 1:
            raise EvaluationError("The trend range must be greater than 0.")
        of = self._metric(node.metric, self.duration.with_earlier_start(node.steps))
        if of.error:
            return of
        if of.type is not ResultType.SERIES:
            return replace(of, error=f"The result of expression [{node.metric.text}] is not a time series result.")
        return functions.trend(node.function, node.steps, self.duration.step.width.total_seconds(), of)

    # -- reading metrics

    def _metric(self, node: ast.MetricNode, duration: Duration) -> Result:
        metric = self._metric_definition(node)
        key = resolve_entity(self.entity, metric.scope, self.oap_version)
        if metric.type is MetricType.LABELED:
            return self._labeled(node, key, duration)
        if key is None and self.mqe_version.illegal_entity_is_unknown:
            return Result(ResultType.UNKNOWN)
        values = tuple(
            Value(None if key is None else _float(self.store.value(metric, key, bucket)), str(bucket.millis))
            for bucket in duration.buckets
        )
        return Result(ResultType.SERIES, (Row(values),))

    def _labeled(self, node: ast.MetricNode, key: EntityKey | None, duration: Duration) -> Result:
        found = [None if key is None else self.store.percentiles(key, bucket) for bucket in duration.buckets]
        name, known = self.oap_version.percentile_key, self.oap_version.percentile_labels
        asked = [value for given, values in node.labels for value in values.split(",") if given == name]
        narrowed = bool(node.labels)
        if any(found):
            chosen = [label for label in known if not narrowed or label in asked]
        else:
            # Nothing found: there are no labels but those of the first generation's question.
            chosen = asked if narrowed and not self.oap_version.labels_by_key else []
        rows = []
        for label in chosen:
            index = known.index(label) if label in known else -1
            values = tuple(
                Value(float(row[index]) if row and index >= 0 else None, str(bucket.millis))
                for bucket, row in zip(duration.buckets, found, strict=True)
            )
            rows.append(Row(values, ((name, label),)))
        return Result(ResultType.SERIES, tuple(rows), labeled=True)

    def _top(self, node: ast.TopN) -> Result:
        metric = self._metric_definition(node.metric)
        if metric.type is MetricType.LABELED:
            raise EvaluationError(f"Metric: [{metric.name}] is labeled value, does not support top_n query.")
        if node.count <= 0:
            raise EvaluationError("TopN value must be > 0.")
        ranked = []
        for name, key in self._candidates(metric):
            values = [self.store.value(metric, key, bucket) for bucket in self.duration.buckets]
            present = [value for value in values if value is not None]
            if present:
                ranked.append(Value(float(sum(present) // len(present)), name))
        ranked.sort(key=lambda value: value.value or 0.0, reverse=node.descending)
        return Result(ResultType.SORTED, (Row(tuple(ranked[: node.count])),))

    def _candidates(self, metric: MetricDefinition) -> list[tuple[str, EntityKey]]:
        """Who is ranked: the children of the given service; services only where none is given."""
        parent = self.entity.get("serviceName")
        candidates: list[tuple[str, EntityKey]] = []
        for service in self.store.services():
            if metric.scope is MetricScope.SERVICE:
                if not parent:
                    candidates.append((service.name, EntityKey(metric.scope, service.name, service.normal)))
                continue
            if parent and (parent, self.entity.get("normal")) != (service.name, service.normal):
                continue
            instances = metric.scope is MetricScope.INSTANCE
            names = [one.name for one in service.instances] if instances else service.endpoints
            candidates += [
                (
                    name if parent else f"{service.name} - {name}",
                    EntityKey(metric.scope, service.name, service.normal, name),
                )
                for name in names
            ]
        return candidates

    def _metric_definition(self, node: ast.MetricNode) -> MetricDefinition:
        if node.name not in METRICS:
            raise EvaluationError(self.mqe_version.unknown_metric_message.format(node.name))
        return METRICS[node.name]


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)
