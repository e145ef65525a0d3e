"""Form C: an indicator by name, over the whole window, from counts where OAP keeps counts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.answers import refuse
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.calls import choose, names_of
from skywalking_provider.forms.metrics import MOST, Reply, Wanted, calls_in, reply_in
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Entities, Entity, Window
from skywalking_provider.series import Number, Series, number_text
from skywalking_provider.spec import Sli, SliSpec
from skywalking_provider.stats import FULL, Counts, counts, sum_counts, weighted_mean


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one indicator: what is measured (nothing for throughput), and the calls behind it."""

    value: str | None
    calls: str
    labeled: bool = False


def metrics_of(spec: SliSpec, entities: Entities, known: Collection[str]) -> Metrics:
    """Choose the metrics by scope, layer and what the OAP has.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, with the recipe to have it.
    """
    names = names_of(entities, known)
    calls = choose("calls", names.calls, known, entities)
    match spec.sli:
        case Sli.THROUGHPUT:
            return Metrics(None, calls)
        case Sli.SUCCESS_RATE:
            return Metrics(choose("success-rate", names.success_rate, known, entities), calls)
        case Sli.APDEX:
            return Metrics(choose("apdex", names.apdex, known, entities), calls)
        case Sli.LATENCY if spec.percentile is not None:
            return Metrics(choose("percentile", names.percentile, known, entities), calls, labeled=True)
    return Metrics(choose("latency", names.latency, known, entities), calls)


def wanted_by(metrics: Metrics, entities: Entities) -> list[Wanted]:
    """Calls and values of every entity."""
    wanted = [Wanted(f"c{at}", metrics.calls, entity) for at, entity in enumerate(entities.all)]
    if metrics.value is not None:
        wanted += [
            Wanted(f"v{at}", metrics.value, entity, labeled=metrics.labeled) for at, entity in enumerate(entities.all)
        ]
    return wanted


def sample_of(
    spec: SliSpec, metrics: Metrics, entities: Entities, window: Window, data: Mapping[str, Any], *, mqe: bool
) -> Sample:
    """The indicator of the window.

    Args:
        spec: The block.
        metrics: As in `wanted_by`.
        entities: As in `wanted_by`.
        window: The window read.
        data: The answers to `wanted_by`, together.
        mqe: Whether the OAP was asked by MQE. Where it was not, a minute without calls has no values.

    Raises:
        ProviderError: OAP does not accept a metric, or its numbers are none.
    """
    by_entity = {
        entity: _rows(spec, metrics, at, entity, window, data, mqe=mqe) for at, entity in enumerate(entities.all)
    }
    rows = [row for of_entity in by_entity.values() for row in of_entity]
    calls = sum(row.calls for row in rows)
    reads = (Series(metrics.value or metrics.calls, tuple(row.calls for row in rows)),)
    if not rows:
        return Sample(None, spec.sli, reads, 0)
    result = _indicator(spec, rows, window)
    covered = len({row.bucket for row in rows})
    shown = tuple(one for entity, its in by_entity.items() for one in _shown(spec, entity, its, window))
    return Sample(result, f"{_name(spec)} {_told(spec, rows, result)}", reads, calls, covered, shown)


@dataclass(frozen=True, slots=True)
class _Row:
    """One bucket of one entity that has calls, and a value where one is measured."""

    bucket: int
    calls: int
    value: float


def _rows(
    spec: SliSpec, metrics: Metrics, at: int, entity: Entity, window: Window, data: Mapping[str, Any], *, mqe: bool
) -> list[_Row]:
    calls = calls_in(data, Wanted(f"c{at}", metrics.calls, entity), mqe=mqe)
    if len(calls) not in (0, window.buckets):
        refuse(f"c{at}", f"{len(calls)} buckets of {window.buckets}")
    values: Sequence[Number | None] = calls
    if metrics.value is not None:
        wanted = Wanted(f"v{at}", metrics.value, entity, labeled=metrics.labeled)
        values = _values(reply_in(data, wanted, mqe=mqe), wanted, str(spec.percentile) if metrics.labeled else None)
    most = FULL if spec.sli in (Sli.SUCCESS_RATE, Sli.APDEX) else MOST
    if len(values) not in (0, len(calls)) or not all(0 <= one <= most for one in values if one is not None):
        what = f"{metrics.value or metrics.calls}, {metrics.calls}: the numbers are none that SkyWalking writes"
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, what, "is the backend a SkyWalking OAP?")
    return [
        _Row(bucket, count, float(value))
        for bucket, (count, value) in enumerate(zip(calls, values, strict=False))
        if count and value is not None
    ]


def _shown(spec: SliSpec, entity: Entity, rows: Sequence[_Row], window: Window) -> Iterator[Series]:
    """The indicator and the calls of one entity, minute by minute."""
    whose = f" {entity.instance}" if entity.instance else ""
    unit = FULL if spec.sli in (Sli.SUCCESS_RATE, Sli.APDEX) else 1
    values = {row.bucket: row.value / unit for row in rows}
    calls = {row.bucket: row.calls for row in rows}
    if spec.sli is not Sli.THROUGHPUT:
        yield Series(f"{_name(spec)}{whose}", tuple(values.get(at) for at in range(window.buckets)))
    yield Series(f"calls{whose}", tuple(calls.get(at) for at in range(window.buckets)))


def _values(reply: Reply, wanted: Wanted, percentile: str | None) -> Sequence[Number | None]:
    """The one series that is meant; of a percentile, that with its label."""
    found = [one for one in reply.found if percentile is None or one.labels.get("p") == percentile]
    if len(found) > 1:
        refuse(wanted.alias, f"{len(found)} series of {wanted.expression}")
    return found[0].buckets if found else ()


def _indicator(spec: SliSpec, rows: Sequence[_Row], window: Window) -> float:
    match spec.sli:
        case Sli.SUCCESS_RATE:
            return _all_counts(rows).success_rate
        case Sli.APDEX:
            return weighted_mean((row.value, row.calls) for row in rows) / FULL
        case Sli.THROUGHPUT:
            return sum(row.calls for row in rows) / window.buckets
        case Sli.LATENCY if spec.percentile is not None and spec.aggregate != "weighted":
            return max(row.value for row in rows)
    return weighted_mean((row.value, row.calls) for row in rows)


def _told(spec: SliSpec, rows: Sequence[_Row], result: float) -> str:
    """The indicator; where OAP's ratio leaves it open, what it may be at best, too."""
    least, most = number_text(result), ""
    if spec.sli is Sli.SUCCESS_RATE:
        most = number_text(_all_counts(rows).success_rate_at_most)
    return f"{least} (at most {most})" if most not in ("", least) else least


def _all_counts(rows: Sequence[_Row]) -> Counts:
    return sum_counts([counts(int(row.value), row.calls) for row in rows])


def _name(spec: SliSpec) -> str:
    return f"latency p{spec.percentile}" if spec.percentile else spec.sli.value
