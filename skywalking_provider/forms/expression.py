"""Form B: a metrics query expression. Its `result` is a number, a list, or a map of them by label."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from skywalking_provider.entities import nearest
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.calls import calls_metric
from skywalking_provider.forms.metrics import Found, Wanted, found_in, series
from skywalking_provider.forms.sample import Sample
from skywalking_provider.model import Entities, Entity
from skywalking_provider.series import Series, number_text
from skywalking_provider.spec import ExpressionSpec

_SHOWN = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?=[^A-Za-z0-9_(]|$)")


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
        ProviderError: OAP does not accept the expression, or its numbers are none.
    """
    results: dict[str, Any] = {}
    reads: list[Series] = []
    calls: int | None = None
    for wanted in wanted_by(spec, entities):
        found = found_in(data, wanted, mqe=True)
        if wanted.alias.startswith("c"):
            calls = (calls or 0) + sum(int(bucket) for bucket in series(wanted, found).present)
            continue
        reads += _reads(_read_name(wanted.entity, entities), found)
        if not entities.selector or any(one.present for one in _reads("", found)):  # a silent pod stays absent
            results[wanted.entity.name] = _result(_type(data, wanted), data, wanted, found, spec.scale)
    result = results if entities.selector else next(iter(results.values()))
    shown = tuple(_scaled_series(read, spec.scale) for read in reads)
    return Sample(result, f"{spec.expression} {_told(result)}", _one_speaks(reads, entities), calls, shown=shown)


def nearest_metrics(expression: str, known: Sequence[str]) -> str:
    """A hint for every name in an expression that is like a metric but is none."""
    names = [name for name in _NAME.findall(expression) if name not in known and "_" in name]
    return "; ".join(nearest(name, known) for name in names)


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
    return Series(read.name, tuple(bucket if bucket is None else _scaled(bucket, scale) for bucket in read.buckets))


def _read_name(entity: Entity, entities: Entities) -> str:
    return entity.name if entities.selector else "the expression"


def _type(data: Mapping[str, Any], wanted: Wanted) -> str:
    return str(data[wanted.alias].get("type"))


def _result(kind: str, data: Mapping[str, Any], wanted: Wanted, found: Sequence[Found], scale: float) -> Any:
    match kind:
        case "SINGLE_VALUE" | "TIME_SERIES_VALUES":
            single = kind == "SINGLE_VALUE"
            if all(not one.labels for one in found):
                return _values(found[0], scale, single=single) if found else ([] if not single else None)
            return {_label(one.labels): _values(one, scale, single=single) for one in found}
        case "SORTED_LIST" | "RECORD_LIST":
            return _ranked(data[wanted.alias], found, scale)
    raise ProviderError(Reason.QUERY_INVALID, f"{wanted.expression}: OAP answers {kind}, which no condition can judge")


def _values(found: Found, scale: float, *, single: bool) -> Any:
    numbers = [_scaled(bucket, scale) for bucket in found.buckets if bucket is not None]
    if single:
        return numbers[0] if numbers else None
    return numbers


def _ranked(field: Mapping[str, Any], found: Sequence[Found], scale: float) -> list[dict[str, Any]]:
    names = [value.get("id") for result in field["results"] for value in result.get("values") or ()]
    values = [bucket for one in found for bucket in one.buckets]
    return [
        {"name": name, "value": _scaled(value, scale)}
        for name, value in zip(names, values, strict=True)
        if value is not None
    ]


def _scaled(bucket: Any, scale: float) -> float | int:
    number: float | int = bucket
    return number if scale == 1.0 else number / scale


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
