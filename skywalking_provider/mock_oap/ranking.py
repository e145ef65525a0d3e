"""Ranking of entities by a metric, for `sortMetrics` and for `top_n` in expressions."""

from collections.abc import Iterator
from dataclasses import dataclass

from skywalking_provider.mock_oap.duration import Duration
from skywalking_provider.mock_oap.entity_ids import EntityKey, MetricScope
from skywalking_provider.mock_oap.metric_catalog import MetricDefinition
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import UnsupportedError


@dataclass(frozen=True, slots=True)
class RankedEntity:
    """An entity with its average over the present buckets."""

    name: str
    key: EntityKey
    value: int


@dataclass(frozen=True, slots=True)
class ParentService:
    """The service whose instances or endpoints are ranked."""

    name: str
    normal: bool


def rank_entities(
    store: Store, metric: MetricDefinition, parent: ParentService | None, duration: Duration, *, descending: bool
) -> list[RankedEntity]:
    """Return the entities of a metric in the order of their averages, those without data excluded.

    Args:
        store: Contents of the storage.
        metric: Metric with one number per bucket.
        parent: Service whose children are ranked; None ranks all entities of the OAP.
        duration: Buckets to read.
        descending: Whether the highest average is first.

    Raises:
        UnsupportedError: The metric is one of relations.
    """
    if metric.scope.is_relation:
        raise UnsupportedError(f"a ranking by {metric.name}")
    ranked = []
    for name, key in _candidates(store, metric, parent):
        values = [store.value(metric, key, bucket) for bucket in duration.buckets]
        present = [value for value in values if value is not None]
        if present:
            ranked.append(RankedEntity(name, key, sum(present) // len(present)))
    return sorted(ranked, key=lambda one: one.value, reverse=descending)


def _candidates(
    store: Store, metric: MetricDefinition, parent: ParentService | None
) -> Iterator[tuple[str, EntityKey]]:
    """Yield the entities to rank with their names. A ranking of services below one service is empty."""
    for service in store.services():
        if metric.scope is MetricScope.SERVICE:
            if parent is None:
                yield service.name, EntityKey(metric.scope, service.name, service.normal)
            continue
        if parent and (parent.name, parent.normal) != (service.name, service.normal):
            continue
        instances = metric.scope is MetricScope.INSTANCE
        for name in [one.name for one in service.instances] if instances else service.endpoints:
            key = EntityKey(metric.scope, service.name, service.normal, name)
            yield name if parent else f"{service.name} - {name}", key
