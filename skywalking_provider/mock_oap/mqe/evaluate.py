"""From an expression and an entity to a result, reading the metrics it names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skywalking_provider.mock_oap.catalog import METRICS, MetricDefinition, MetricType
from skywalking_provider.mock_oap.dialect import Dialect, MqeDialect
from skywalking_provider.mock_oap.duration import Duration
from skywalking_provider.mock_oap.entities import EntityKey, Scope, entity_of
from skywalking_provider.mock_oap.mqe import functions, tree
from skywalking_provider.mock_oap.mqe.arithmetic import OPERATIONS, combine
from skywalking_provider.mock_oap.mqe.values import EvaluationError, Label, Result, ResultType, Row, Value
from skywalking_provider.mock_oap.store import Store


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Evaluates expressions for one entity over one duration."""

    store: Store
    dialect: Dialect
    language: MqeDialect
    entity: Mapping[str, Any]
    during: Duration

    def evaluate(self, node: tree.Node) -> Result:
        """The result; what OAP refuses is a result with an error."""
        try:
            return self._evaluate(node)
        except EvaluationError as refused:
            return Result.failed(str(refused))

    def _evaluate(self, node: tree.Node) -> Result:
        match node:
            case tree.Scalar():
                return Result.single(node.value, self._computed)
            case tree.Metric():
                return self._metric(node, self.during)
            case tree.Binary():
                return self._binary(node)
            case tree.Choose():
                return self._choose(node)
            case tree.TopN():
                return self._top(node)
            case tree.Trend():
                return self._trend(node)
            case _:
                return self._apply(node)

    @property
    def _computed(self) -> tuple[Label, ...] | None:
        return () if self.language.computed_has_labels else None

    def _binary(self, node: tree.Binary) -> Result:
        left = self.evaluate(node.left)
        if left.error:
            return left
        right = self.evaluate(node.right)
        return right if right.error else combine(left, right, OPERATIONS[node.sign], self._computed)

    def _choose(self, node: tree.Choose) -> Result:
        results = []
        for one in node.of:
            results.append(self.evaluate(one))
            if results[-1].present:
                break
        if node.function == "is_present":
            return Result.single(float(results[-1].present))
        return results[-1] if results[-1].present else results[0]

    def _apply(
        self,
        node: tree.Aggregate
        | tree.Mathematics
        | tree.Relabel
        | tree.AggregateLabels
        | tree.SortValues
        | tree.SortLabels,
    ) -> Result:
        of = self.evaluate(node.of)
        if of.error:
            return of
        if isinstance(node, tree.Relabel | tree.AggregateLabels) and not of.labeled:
            return replace(of, error=f"The result of expression [{node.of.text}] is not a labeled result.")
        match node:
            case tree.Aggregate():
                return functions.aggregate(node.function, of)
            case tree.Mathematics():
                return functions.mathematics(node.function, node.digits, of)
            case tree.Relabel():
                return functions.relabel(node.old, node.new, of)
            case tree.AggregateLabels():
                return functions.aggregate_labels(node.function, node.keep, of)
            case tree.SortValues():
                return functions.sort_values(descending=node.descending, limit=node.limit, result=of)
            case tree.SortLabels():
                return functions.sort_labels(node.names, descending=node.descending, result=of)

    def _trend(self, node: tree.Trend) -> Result:
        if node.steps < 1:
            raise EvaluationError("The trend range must be greater than 0.")
        of = self._metric(node.of, self.during.earlier(node.steps))
        if of.error:
            return of
        if of.type is not ResultType.SERIES:
            return replace(of, error=f"The result of expression [{node.of.text}] is not a time series result.")
        return functions.trend(node.function, node.steps, self.during.step.width.total_seconds(), of)

    # -- reading metrics

    def _metric(self, node: tree.Metric, during: Duration) -> Result:
        metric = self._known(node)
        key = entity_of(self.entity, metric.scope, self.dialect)
        if metric.type is MetricType.LABELED:
            return self._labeled(node, key, during)
        if key is None and self.language.illegal_entity_is_unknown:
            return Result(ResultType.UNKNOWN)
        values = tuple(
            Value(None if key is None else _float(self.store.value(metric, key, bucket)), str(bucket.millis))
            for bucket in during.buckets
        )
        return Result(ResultType.SERIES, (Row(values),))

    def _labeled(self, node: tree.Metric, key: EntityKey | None, during: Duration) -> Result:
        found = [None if key is None else self.store.percentiles(key, bucket) for bucket in during.buckets]
        name, known = self.dialect.percentile_key, self.dialect.percentile_labels
        asked = [value for given, values in node.labels for value in values.split(",") if given == name]
        narrowed = bool(node.labels)
        if any(found):
            chosen = [label for label in known if not narrowed or label in asked]
        else:
            # Nothing found: there are no labels but those of the first generation's question.
            chosen = asked if narrowed and not self.dialect.labels_by_key else []
        rows = []
        for label in chosen:
            index = known.index(label) if label in known else -1
            values = tuple(
                Value(float(row[index]) if row and index >= 0 else None, str(bucket.millis))
                for bucket, row in zip(during.buckets, found, strict=True)
            )
            rows.append(Row(values, ((name, label),)))
        return Result(ResultType.SERIES, tuple(rows), labeled=True)

    def _top(self, node: tree.TopN) -> Result:
        metric = self._known(node.of)
        if metric.type is MetricType.LABELED:
            raise EvaluationError(f"Metric: [{metric.name}] is labeled value, does not support top_n query.")
        if node.count <= 0:
            raise EvaluationError("TopN value must be > 0.")
        ranked = []
        for name, key in self._candidates(metric):
            values = [self.store.value(metric, key, bucket) for bucket in self.during.buckets]
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
            if metric.scope is Scope.SERVICE:
                if not parent:
                    candidates.append((service.name, EntityKey(metric.scope, service.name, service.normal)))
                continue
            if parent and (parent, self.entity.get("normal")) != (service.name, service.normal):
                continue
            instances = metric.scope is Scope.INSTANCE
            names = [one.name for one in service.instances] if instances else service.endpoints
            candidates += [
                (
                    name if parent else f"{service.name} - {name}",
                    EntityKey(metric.scope, service.name, service.normal, name),
                )
                for name in names
            ]
        return candidates

    def _known(self, node: tree.Metric) -> MetricDefinition:
        if node.name not in METRICS:
            raise EvaluationError(self.language.unknown_metric.format(node.name))
        return METRICS[node.name]


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)
