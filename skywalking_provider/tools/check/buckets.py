"""The series in the answers of a measurement, row by row, as a person looks at them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from skywalking_provider.block import GraphqlSpec
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.metric_values import LabeledSeries, SeriesRequest, decode_series
from skywalking_provider.queries.graphql.unchecked import extract_series
from skywalking_provider.queries.series import Bucket
from skywalking_provider.tools.check.runner import CheckResult


@dataclass(frozen=True, slots=True)
class Row:
    """One series.

    Attributes:
        name: The metric, the expression, or the field of the author's query.
        entity: Whom it is of; empty where the query says it.
        buckets: Its values; None where absent.
        times: When each bucket begins, in the OAP's zone; empty where the values are no buckets of the window.
        ids: What each value is called instead, in a sorted list.
    """

    name: str
    entity: str
    buckets: tuple[Bucket, ...]
    times: tuple[datetime, ...] = ()
    ids: tuple[str, ...] = ()


def rows_of(checked: CheckResult) -> list[Row]:
    """All series that a measurement read; none where it did not come to reading."""
    if checked.collected_sample is None or checked.window is None:
        return []
    if isinstance(checked.spec, GraphqlSpec):
        return list(_of_query(checked, checked.window))
    return list(_of_entities(checked, checked.window))


def _of_query(checked: CheckResult, window: Window) -> Iterator[Row]:
    """What the sample says is absent is absent, whoever told it."""
    data = checked.sample_exchanges[-1].data or {}
    for series in (checked.collected_sample.sample.series if checked.collected_sample else ()) or extract_series(data):
        yield _row(series.name, "", series.buckets, window)


def _of_entities(checked: CheckResult, window: Window) -> Iterator[Row]:
    for exchange in checked.sample_exchanges:
        calls: dict[str, tuple[Bucket, ...]] = {}  # by entity: of an old OAP, the witness of absent minutes
        for alias, field in (exchange.data or {}).items():
            asked = exchange.request.variables.get(alias)
            wanted, mqe = _wanted(alias, asked, exchange.request.variables, labeled=isinstance(field, list))
            try:
                found = decode_series({alias: field}, wanted, mqe=mqe).series
            except ProviderError:  # the message says what is wrong
                continue
            if alias.startswith("c") and found:
                calls[alias[1:]] = found[0].buckets
            called = () if mqe or alias.startswith("c") else calls.get(alias[1:], ())
            for one in found:
                yield _row(_name(wanted, one), _told(wanted.entity), _present(one.buckets, called), window, one.names)


def _wanted(alias: str, asked: Any, variables: Mapping[str, Any], *, labeled: bool) -> tuple[SeriesRequest, bool]:
    """The question of an alias, from its variables."""
    if isinstance(asked, str):
        return SeriesRequest(alias, asked, _entity(variables[f"{alias}_entity"])), True
    return SeriesRequest(alias, asked["name"], _entity(asked["entity"]), labeled=labeled), False


def _entity(written: Mapping[str, Any]) -> Entity:
    return Entity(
        written["serviceName"], written["normal"], written.get("serviceInstanceName"), written.get("endpointName")
    )


def _told(entity: Entity) -> str:
    return entity.name if entity.name == entity.service else f"{entity.name} of {entity.service}"


def _name(wanted: SeriesRequest, found: LabeledSeries) -> str:
    labels = ",".join(f"{key}={value}" for key, value in sorted(found.labels.items()))
    return f"{wanted.expression} {labels}" if labels else wanted.expression


def _present(buckets: Sequence[Bucket], calls: Sequence[Bucket]) -> tuple[Bucket, ...]:
    if len(calls) != len(buckets):
        return tuple(buckets)
    return tuple(bucket if called else None for bucket, called in zip(buckets, calls, strict=True))


def _row(name: str, entity: str, buckets: tuple[Bucket, ...], window: Window, ids: tuple[str, ...] = ()) -> Row:
    if ids and len(ids) == len(buckets):
        return Row(name, entity, buckets, ids=ids)
    if len(buckets) != window.buckets:
        return Row(name, entity, buckets)
    return Row(name, entity, buckets, tuple(window.start + at * window.step for at in range(len(buckets))))
