"""Functions of the expression language, applied to evaluated results."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from skywalking_provider.mock_oap.mqe.result import EvaluationError, Label, Result, ResultRow, ResultType, Value

_MAX_DIGITS: Final = 400
_WIDE: Final = Context(prec=2 * _MAX_DIGITS, rounding=ROUND_HALF_UP)


def aggregate(function: str, result: Result) -> Result:
    """Reduce each row to one value by avg, count, latest, max, min or sum."""
    if function == "latest" and result.type is not ResultType.SERIES:
        raise EvaluationError("LATEST can only be used in time series result.")
    rows = tuple(replace(row, values=(_AGGREGATES[function](_present(row)),)) for row in result.rows)
    return replace(result, type=ResultType.SINGLE, rows=rows)


def _present(row: ResultRow) -> list[Value]:
    return [value for value in row.values if value.value is not None]


def _number(value: Value) -> float:
    return value.value or 0.0


def _sum(values: Sequence[Value]) -> float:
    return sum(_number(value) for value in values)


# A selected value keeps its time; a computed one has none. The first of equal values is selected.
_AGGREGATES: Final[dict[str, Callable[[list[Value]], Value]]] = {
    "avg": lambda values: Value(_sum(values) / len(values) if values else None),
    "sum": lambda values: Value(_sum(values)),
    "count": lambda values: Value(float(len(values))),
    "latest": lambda values: values[-1] if values else Value(None),
    "max": lambda values: max(values, key=_number) if values else Value(None),
    "min": lambda values: min(values, key=_number) if values else Value(None),
}


def mathematics(function: str, digits: int, result: Result) -> Result:
    """Apply abs, ceil, floor or round to each value."""
    match function:
        case "abs":
            return result.map(abs)
        case "ceil":
            return result.map(_finite(math.ceil))
        case "floor":
            return result.map(_finite(math.floor))
        case _:
            return result.map(_finite(lambda value: _half_up(value, digits)))


def _finite(change: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: float(change(value)) if math.isfinite(value) else value


def _half_up(value: float, digits: int) -> float:
    if digits > _MAX_DIGITS:  # a double has fewer digits
        return value
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), context=_WIDE))


def trend(function: str, steps: int, step_seconds: float, result: Result) -> Result:
    """Compute the change (`increase`), or the change per second (`rate`), over a number of steps.

    The first steps of the result have no predecessor and are removed.
    """

    def change(row: ResultRow) -> ResultRow:
        pairs = zip(row.values[steps:], row.values, strict=False)
        return replace(
            row,
            values=tuple(
                Value(None if now.value is None or before.value is None else now.value - before.value, now.id)
                for now, before in pairs
            ),
        )

    result = replace(result, rows=tuple(change(row) for row in result.rows))
    return result if function == "increase" else result.map(lambda value: value / (steps * step_seconds))


def aggregate_labels(function: str, label_names: Sequence[str], result: Result) -> Result:
    """Merge rows with equal values of the labels to keep, bucket by bucket."""
    if not result.rows:
        return result
    label_names = [name for name in label_names if name in dict(result.rows[0].labels or ())]
    groups: dict[tuple[Label, ...], list[ResultRow]] = {}
    for row in result.rows:
        labels = dict(row.labels or ())
        groups.setdefault(tuple((name, labels.get(name, "")) for name in label_names), []).append(row)
    rows = tuple(ResultRow(_merge(function, group), labels) for labels, group in groups.items())
    return replace(result, rows=rows, labeled=any(row.labels for row in rows))


def _merge(function: str, rows: list[ResultRow]) -> tuple[Value, ...]:
    merged = []
    for index, first in enumerate(rows[0].values):
        present = [value for row in rows if (value := row.values[index]).value is not None]
        # A sum without values is absent here; over time it is 0.
        merged.append(Value(_AGGREGATES[function](present).value if present else None, first.id))
    return tuple(merged)


def relabel(old: Label, new: Label | None, result: Result) -> Result:
    """Replace labels by others, value by value.

    Args:
        old: Key and comma-separated values to replace.
        new: Key and values to replace them by; None in the first generation, whose rows get the values of `old`.
        result: Result with labels.
    """
    values = _split_values(old)
    if new is None:
        if len(values) != len(result.rows):
            return replace(result, error="The number of relabels is not equal to the number of labels.")
        rows = tuple(replace(row, labels=(label,)) for row, label in zip(result.rows, values, strict=True))
        return replace(result, rows=rows)
    replacements = _split_values(new)
    if len(values) != len(replacements):
        error = f"Target label [{old[0]}]: the number of new values is not equal to the number of old values."
        return replace(result, error=error)
    names = dict(zip(values, replacements, strict=True))
    rows = tuple(
        replace(row, labels=tuple(names.get(label, label) for label in row.labels or ())) for row in result.rows
    )
    return replace(result, rows=rows)


def _split_values(label: Label) -> list[Label]:
    key, values = label
    return [(key, value) for value in values.split(",")] if values.strip() else []
