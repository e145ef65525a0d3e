"""Resolvers of the V2 metric reads: values per bucket, a single value, values by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.duration import Duration, parse_duration
from skywalking_provider.mock_oap.entity_ids import ILLEGAL, EntityKey, MetricScope, resolve_entity
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError, Json
from skywalking_provider.mock_oap.metric_catalog import METRICS, MetricDefinition, MetricType
from skywalking_provider.mock_oap.ranking import ParentService, rank_entities
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import UnsupportedError, reject_unsupported_metric
from skywalking_provider.mock_oap.versions import PERCENTILES, OapVersion

UNKNOWN_METRIC = "UNKNOWN_METRIC_NAME"


@dataclass(frozen=True, slots=True)
class MetricsV2Queries:
    """Resolvers of the V2 reads for one OAP version."""

    store: Store
    oap_version: OapVersion

    def values(self, condition: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        """Resolve `readMetricsValues`: one value per bucket. An absent one is 0 with `isEmptyValue`."""
        during = self._duration(duration)
        metric, entity = self._resolve_condition(condition)
        if metric is not None and metric.type is MetricType.LABELED and entity is not None:
            self._reject_labeled(metric, entity, during)
        return {"label": None, "values": {"values": self._points(condition, during, metric, entity)}}

    def single(self, condition: Mapping[str, Any], duration: Mapping[str, str]) -> tuple[int, bool]:
        """Return the average over the present buckets, and whether there are none."""
        during = self._duration(duration)
        metric, entity = self._resolve_condition(condition)
        if metric is None or entity is None:
            return 0, True
        if metric.type is MetricType.LABELED:
            self._reject_labeled(metric, entity, during)
            return 0, True
        values = [self.store.value(metric, entity, bucket) for bucket in during.buckets]
        present = [value for value in values if value is not None]
        return (sum(present) // len(present), False) if present else (0, True)

    def labeled(self, condition: Mapping[str, Any], labels: Sequence[str], duration: Mapping[str, str]) -> list[Json]:
        """Resolve `readLabeledMetricsValues`: one series per label."""
        during = self._duration(duration)
        metric, entity = self._resolve_condition(condition)
        percentiles = self.percentiles(metric, entity, during)
        series = []
        for label in self._labels(labels, percentiles):
            index = _label_index(label, self.oap_version)
            points = [
                self._point(
                    self._id(metric, entity, bucket.label, condition), row[index] if row and index >= 0 else None
                )
                for bucket, row in zip(during.buckets, percentiles, strict=True)
            ]
            series.append({"label": label, "values": {"values": points}})
        return series

    def sorted(self, condition: Mapping[str, Any], duration: Mapping[str, str]) -> list[Json]:
        """Resolve `sortMetrics`: the entities with the highest or lowest averages. An unknown metric has none."""
        during = self._duration(duration)
        metric = METRICS.get(condition["name"])
        if metric is None:
            reject_unsupported_metric(condition["name"])
            return []
        if metric.type is MetricType.LABELED:
            raise UnsupportedError(f"sortMetrics by the labeled metric {metric.name}")
        if self.oap_version.checks_scope and condition.get("scope") != metric.scope:
            raise UnsupportedError(f"sortMetrics with another scope than {metric.scope}, that of {metric.name},")
        # A missing `normal` is false in OAP, whose field is a primitive boolean.
        service, normal = condition.get("parentService"), condition.get("normal") is True
        parent = ParentService(service, normal) if service else None
        ranked = rank_entities(self.store, metric, parent, during, descending=condition["order"] == "DES")
        return [
            {"name": one.name, "id": one.key.id, "value": str(one.value), "refId": None}
            for one in ranked[: max(condition["topN"], 0)]
        ]

    def percentiles(
        self, metric: MetricDefinition | None, entity: EntityKey | None, duration: Duration
    ) -> list[tuple[int, ...] | None]:
        """Return all percentiles of each bucket; None where it is absent or the metric has no labels."""
        if metric is None or entity is None or metric.type is not MetricType.LABELED:
            return [None for _ in duration.buckets]
        return [self.store.percentiles(metric, entity, bucket) for bucket in duration.buckets]

    # -- helpers

    def _duration(self, duration: Mapping[str, str]) -> Duration:
        return parse_duration(duration, self.store.clock.zone, self.oap_version)

    def _resolve_condition(self, condition: Mapping[str, Any]) -> tuple[MetricDefinition | None, EntityKey | None]:
        metric = METRICS.get(condition["name"])
        if metric is None:
            reject_unsupported_metric(condition["name"])
        # An unknown metric has no scope. Old versions build an id from the scope of the request.
        scope = metric.scope if metric else _parse_scope(condition)
        return metric, resolve_entity(condition.get("entity") or {}, scope, self.oap_version)

    def _points(
        self,
        condition: Mapping[str, Any],
        duration: Duration,
        metric: MetricDefinition | None,
        entity: EntityKey | None,
    ) -> list[Json]:
        return [
            self._point(
                self._id(metric, entity, bucket.label, condition),
                self.store.value(metric, entity, bucket) if metric and entity else None,
            )
            for bucket in duration.buckets
        ]

    @staticmethod
    def _point(name: str, value: int | None) -> Json:
        return {"id": name, "value": value or 0, "isEmptyValue": value is None}

    def _id(
        self, metric: MetricDefinition | None, entity: EntityKey | None, bucket: str, condition: Mapping[str, Any]
    ) -> str:
        if metric is None and self.oap_version.unknown_metric_has_id:
            return f"{bucket}_{UNKNOWN_METRIC}"
        if self.oap_version.checks_scope and (condition.get("entity") or {}).get("scope") == "All":
            return bucket
        if entity is None:
            return f"{bucket}_{ILLEGAL}"
        prefix = f"{condition['name']}_" if self.oap_version.ids_name_the_metric else ""
        return f"{prefix}{bucket}_{entity.id}"

    def _labels(self, requested: Sequence[str], percentiles: Sequence[tuple[int, ...] | None]) -> list[str]:
        if not self.oap_version.labels_by_key:
            known = list(self.oap_version.percentile_labels) if any(percentiles) else []
            return sorted(set(requested)) if any(requested) else known
        # Versions with keys return all labels, and none if any label is requested as plain text.
        if any(requested) or not any(percentiles):
            return []
        return [f"{{{self.oap_version.percentile_key}={label}}}" for label in self.oap_version.percentile_labels]

    def _reject_labeled(self, metric: MetricDefinition, entity: EntityKey, duration: Duration) -> None:
        """Raise the storage's error for a labeled metric that is read as a number, if it has data."""
        for bucket in duration.buckets:
            row = self.store.percentiles(metric, entity, bucket)
            if row is None:
                continue
            if not self.oap_version.labels_by_key:
                raise DataFetchingError("null")
            by_rank = dict(zip(PERCENTILES, row, strict=True))
            stored = "|".join(f"{{p={rank}}},{by_rank[rank]}" for rank in (50, 95, 90, 75, 99))
            raise DataFetchingError(self.oap_version.conversion_error.format(stored))


def _parse_scope(condition: Mapping[str, Any]) -> MetricScope:
    scope = (condition.get("entity") or {}).get("scope")
    return MetricScope(scope) if scope in tuple(MetricScope) else MetricScope.SERVICE


def _label_index(label: str, oap_version: OapVersion) -> int:
    bare = label.removeprefix(f"{{{oap_version.percentile_key}=").removesuffix("}")
    return oap_version.percentile_labels.index(bare) if bare in oap_version.percentile_labels else -1
