"""Form B: a metrics query expression. Its `result` is a number, a list, or a map of them by label."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from skywalking_provider.answers import refuse
from skywalking_provider.entities import nearest
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.calls import calls_metric
from skywalking_provider.forms.metrics import Found, Reply, Wanted, calls_in, reply_in
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Entities, Entity, Scope
from skywalking_provider.series import Number, Series, number_text
from skywalking_provider.spec import ExpressionSpec
from skywalking_provider.spec.mqe import metrics_in, ranking_in

_SHOWN = 8
CATALOGS = {Scope.SERVICE: "SERVICE", Scope.INSTANCE: "SERVICE_INSTANCE", Scope.ENDPOINT: "ENDPOINT"}
"""SkyWalking's older words for the scopes, in which `listMetrics` tells them."""


def wanted_by(spec: ExpressionSpec, entities: Entities) -> list[Wanted]:
    """The expression for every entity, and its calls where `minCalls` asks for them."""
    values = [Wanted(f"e{at}", spec.expression, entity) for at, entity in enumerate(entities.all)]
    if not spec.min_calls:
        return values
    metric = calls_metric(entities)
    return values + [Wanted(f"c{at}", metric, entity) for at, entity in enumerate(entities.all)]


def sample_of(spec: ExpressionSpec, entities: Entities, data: Mapping[str, Any]) -> Sample:
    """What the answer holds.

    Args:
        spec: The block.
        entities: As in `wanted_by`.
        data: The answers to `wanted_by`, together.

    Raises:
        ProviderError: OAP does not accept the expression, its numbers are none, or no condition can judge them.
    """
    results: dict[str, Any] = {}
    reads: list[Series] = []
    calls: int | None = None
    for wanted in wanted_by(spec, entities):
        if wanted.alias.startswith("c"):
            calls = (calls or 0) + sum(count or 0 for count in calls_in(data, wanted, mqe=True))
            continue
        reply = reply_in(data, wanted, mqe=True)
        result = _result(reply, wanted, spec.scale)
        silent = not any(_present(one) for one in reply.found)
        reads += _reads(_read_name(wanted.entity, entities), reply.found)
        if not (entities.selector and silent):  # a pod without traffic stays absent
            results[wanted.entity.name] = result
    result = results if entities.selector else next(iter(results.values()))
    shown = tuple(_scaled_series(read, spec.scale) for read in reads)
    return Sample(result, f"{spec.expression} {_told(result)}", _one_speaks(reads, entities), calls, shown=shown)


def nearest_metrics(expression: str, known: Collection[str]) -> str:
    """A hint for every name in an expression that is like a metric but is none."""
    names = [name for name in metrics_in(expression) if name not in known and "_" in name]
    return "; ".join(nearest(name, known) for name in names)


def check_scope(expression: str, scope: Scope, known: Mapping[str, str]) -> None:
    """Refuse an expression that OAP would answer with the whole service for every instance or endpoint of it.

    A metric of the service beside one of theirs has a meaning: `service_instance_cpm / service_cpm` is a share. So has
    a ranking: `top_n(service_instance_cpm, 3, des)` is of the service's instances.

    Args:
        expression: As written.
        scope: Of the entities.
        known: The metrics of the OAP with their catalogs.

    Raises:
        ProviderError: QUERY_INVALID.
    """
    catalogs = {name: known[name] for name in metrics_in(expression) if known.get(name)}
    if not catalogs or CATALOGS[scope] in catalogs.values() or ranking_in(expression):
        return
    name, catalog = next(iter(catalogs.items()))
    like = [other for other, of in known.items() if of == CATALOGS[scope]]
    raise ProviderError(
        Reason.QUERY_INVALID,
        f"{expression}: {name} is a metric of the scope {catalog}, and the block asks for {CATALOGS[scope]}",
        nearest(name, like),
    )


def _one_speaks(reads: Sequence[Series], entities: Entities) -> tuple[Series, ...]:
    """Of several instances, one with data is enough: a pod without traffic says nothing about the others."""
    if not entities.selector:
        return tuple(reads)
    buckets = tuple(bucket for read in reads for bucket in read.buckets)
    return (Series(f"{len(reads)} instances of {entities.selector}", buckets),)


def _reads(name: str, found: Sequence[Found]) -> list[Series]:
    """A series for every label; a silent one where nothing was found at all."""
    if not found:
        return [Series(name, ())]
    return [Series(f"{name} {_label(one.labels)}".rstrip(), one.buckets) for one in found]


def _scaled_series(read: Series, scale: float) -> Series:
    return Series(
        read.name, tuple(_scaled(one, scale) if isinstance(one, int | float) else one for one in read.buckets)
    )


def _read_name(entity: Entity, entities: Entities) -> str:
    return entity.name if entities.selector else "the expression"


def _result(reply: Reply, wanted: Wanted, scale: float) -> Any:
    match reply.kind:
        case "SINGLE_VALUE":
            return _by_label(reply.found, wanted, lambda found: _single(found, wanted, scale), empty=None)
        case "TIME_SERIES_VALUES":
            return _by_label(reply.found, wanted, lambda found: _numbers(found, scale), empty=[])
        case "SORTED_LIST" | "RECORD_LIST":
            return [one for found in reply.found for one in _ranked(found, scale)]
    what = f"{wanted.expression}: OAP answers {reply.kind[:40]}, which no condition can judge"
    raise ProviderError(Reason.QUERY_INVALID, what)


def _by_label(found: Sequence[Found], wanted: Wanted, of: Callable[[Found], Any], *, empty: object) -> Any:
    """A map by label, or the one result without any. Nothing is ever put in the place of another."""
    if not found:
        return empty
    if len(found) == 1 and not found[0].labels:
        return of(found[0])
    by_label: dict[str, Any] = {}
    for one in found:
        label = _label(one.labels)
        if label in by_label:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{wanted.expression}: two series have the label {label!r}",
                "tell them apart with relabels, or make one of them with aggregate_labels",
            )
        by_label[label] = of(one)
    return by_label


def _single(found: Found, wanted: Wanted, scale: float) -> float | int | None:
    if len(found.buckets) > 1:
        refuse(wanted.alias, f"a single value of {len(found.buckets)}")
    numbers = _numbers(found, scale)
    return numbers[0] if numbers else None


def _numbers(found: Found, scale: float) -> list[float | int]:
    return [_scaled(bucket, scale) for bucket in _present(found)]


def _ranked(found: Found, scale: float) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": _scaled(bucket, scale)}
        for name, bucket in zip(found.names, found.buckets, strict=True)
        if bucket is not None
    ]


def _present(found: Found) -> list[Number]:
    return [bucket for bucket in found.buckets if bucket is not None]


def _scaled(number: Number, scale: float) -> Number:
    scaled = number if scale == 1.0 else number / scale
    if math.isinf(scaled):
        what = f"scale: {number_text(number)} divided by {scale:g} is more than a number can be"
        raise ProviderError(Reason.BLOCK_INVALID, what, "write a greater one")
    return scaled


def _label(labels: Mapping[str, str]) -> str:
    """`99` for the one label of a percentile; `p=99,name=value` where there are several."""
    if len(labels) == 1:
        return next(iter(labels.values()))
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _told(result: Any) -> str:
    match result:
        case int() | float():
            return number_text(result)
        case list() if all(isinstance(one, int | float) for one in result):
            if len(result) <= _SHOWN:
                return " ".join(number_text(one) for one in result)
            return f"{number_text(min(result))}..{number_text(max(result))}"
        case list():
            return ", ".join(f"{one['name']} {number_text(one['value'])}" for one in result[:3])
        case dict():
            return ", ".join(f"{key}: {_told(value)}" for key, value in list(result.items())[:3])
    return "none"
