"""The V2 reads of metrics: values in time, a single value, values by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap.catalog import METRICS, MetricDefinition, MetricType
from skywalking_provider.mock_oap.dialect import PERCENTILES, Dialect
from skywalking_provider.mock_oap.duration import Duration, parse_duration
from skywalking_provider.mock_oap.entities import ILLEGAL, EntityKey, Scope, entity_of
from skywalking_provider.mock_oap.java import JavaError
from skywalking_provider.mock_oap.store import Store

Json = dict[str, Any]
UNKNOWN_METRIC = "UNKNOWN_METRIC_NAME"


@dataclass(frozen=True, slots=True)
class Reads:
    """Answers `readMetricsValue`, `readMetricsValues`, `readNullableMetricsValue`, `readLabeledMetricsValues`."""

    store: Store
    dialect: Dialect

    def values(self, condition: Mapping[str, Any], duration: Mapping[str, str]) -> Json:
        """One value a bucket; an absent one is 0, and `isEmptyValue` where the version knows it."""
        during = self._duration(duration)
        metric, entity = self._ask(condition)
        if metric is not None and metric.type is MetricType.LABELED and entity is not None:
            self._refuse_labeled(entity, during)
        return {"label": None, "values": {"values": self._points(condition, during, metric, entity)}}

    def single(self, condition: Mapping[str, Any], duration: Mapping[str, str]) -> tuple[int, bool]:
        """The average over the present buckets, and whether there was none."""
        during = self._duration(duration)
        metric, entity = self._ask(condition)
        if metric is None or entity is None:
            return 0, True
        found = [self.store.value(metric, entity, bucket) for bucket in during.buckets]
        present = [value for value in found if value is not None]
        return (sum(present) // len(present), False) if present else (0, True)

    def labeled(self, condition: Mapping[str, Any], labels: Sequence[str], duration: Mapping[str, str]) -> list[Json]:
        """One series a label, as `readLabeledMetricsValues` gives them."""
        during = self._duration(duration)
        metric, entity = self._ask(condition)
        percentiles = self.percentiles(metric, entity, during)
        series = []
        for label in self._labels(labels, percentiles):
            index = _index(label, self.dialect)
            points = [
                self._point(
                    self._id(metric, entity, bucket.label, condition), row[index] if row and index >= 0 else None
                )
                for bucket, row in zip(during.buckets, percentiles, strict=True)
            ]
            series.append({"label": label, "values": {"values": points}})
        return series

    def percentiles(
        self, metric: MetricDefinition | None, entity: EntityKey | None, during: Duration
    ) -> list[tuple[int, ...] | None]:
        """All percentiles in each bucket; None where the bucket is absent or the metric has none."""
        if metric is None or entity is None or metric.type is not MetricType.LABELED:
            return [None for _ in during.buckets]
        return [self.store.percentiles(entity, bucket) for bucket in during.buckets]

    # -- parts

    def _duration(self, duration: Mapping[str, str]) -> Duration:
        return parse_duration(duration, self.store.clock.zone, self.dialect)

    def _ask(self, condition: Mapping[str, Any]) -> tuple[MetricDefinition | None, EntityKey | None]:
        metric = METRICS.get(condition["name"])
        # An unknown metric has no scope of its own; old versions still make an id from what was given.
        scope = metric.scope if metric else _scope(condition)
        return metric, entity_of(condition.get("entity") or {}, scope, self.dialect)

    def _points(
        self,
        condition: Mapping[str, Any],
        during: Duration,
        metric: MetricDefinition | None,
        entity: EntityKey | None,
    ) -> list[Json]:
        return [
            self._point(
                self._id(metric, entity, bucket.label, condition),
                self.store.value(metric, entity, bucket) if metric and entity else None,
            )
            for bucket in during.buckets
        ]

    @staticmethod
    def _point(name: str, value: int | None) -> Json:
        return {"id": name, "value": value or 0, "isEmptyValue": value is None}

    def _id(
        self, metric: MetricDefinition | None, entity: EntityKey | None, bucket: str, condition: Mapping[str, Any]
    ) -> str:
        if metric is None and self.dialect.unknown_metric_has_own_id:
            return f"{bucket}_{UNKNOWN_METRIC}"
        if self.dialect.scope_is_obeyed and (condition.get("entity") or {}).get("scope") == "All":
            return bucket
        if entity is None:
            return f"{bucket}_{ILLEGAL}"
        prefix = f"{condition['name']}_" if self.dialect.ids_name_the_metric else ""
        return f"{prefix}{bucket}_{entity.id}"

    def _labels(self, asked: Sequence[str], percentiles: Sequence[tuple[int, ...] | None]) -> list[str]:
        if not self.dialect.labels_by_key:
            known = list(self.dialect.percentile_labels) if any(percentiles) else []
            return list(asked) or known
        # Versions with keys answer all labels that they found, and none if any label is asked for by a bare text.
        if asked or not any(percentiles):
            return []
        return [f"{{{self.dialect.percentile_key}={label}}}" for label in self.dialect.percentile_labels]

    def _refuse_labeled(self, entity: EntityKey, during: Duration) -> None:
        """A labeled value read as a number is the storage's error, if there is anything to read."""
        for bucket in during.buckets:
            row = self.store.percentiles(entity, bucket)
            if row is None:
                continue
            if not self.dialect.labels_by_key:
                raise JavaError("null")
            by_rank = dict(zip(PERCENTILES, row, strict=True))
            stored = "|".join(f"{{p={rank}}},{by_rank[rank]}" for rank in (50, 95, 90, 75, 99))
            raise JavaError(
                f'Data conversion error converting "{stored}" [22018-212]', "org.h2.jdbc.JdbcSQLDataException"
            )


def _scope(condition: Mapping[str, Any]) -> Scope:
    given = (condition.get("entity") or {}).get("scope")
    return Scope(given) if given in tuple(Scope) else Scope.SERVICE


def _index(label: str, dialect: Dialect) -> int:
    bare = label.removeprefix(f"{{{dialect.percentile_key}=").removesuffix("}")
    return dialect.percentile_labels.index(bare) if bare in dialect.percentile_labels else -1
