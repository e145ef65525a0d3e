"""The functions of the language on results that are already there."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from skywalking_provider.mock_oap.mqe.result import EvaluationError, Label, Result, ResultType, Row, Value

_MAX_DIGITS: Final = 400
_WIDE: Final = Context(prec=2 * _MAX_DIGITS, rounding=ROUND_HALF_UP)


def aggregate(function: str, result: Result) -> Result:
    """avg, count, latest, max, min, sum: each row becomes one value."""
    if function == "latest" and result.type is not ResultType.SERIES:
        raise EvaluationError("LATEST can only be used in time series result.")
    rows = tuple(replace(row, values=(_AGGREGATES[function](_present(row)),)) for row in result.rows)
    return replace(result, type=ResultType.SINGLE, rows=rows)


def _present(row: Row) -> list[Value]:
    return [value for value in row.values if value.value is not None]


def _number(value: Value) -> float:
    return value.value or 0.0


def _sum(values: Sequence[Value]) -> float:
    return sum(_number(value) for value in values)


# What is selected keeps its time; what is calculated has none. Of equals the first wins.
_AGGREGATES: Final[dict[str, Callable[[list[Value]], Value]]] = {
    "avg": lambda values: Value(_sum(values) / len(values) if values else None),
    "sum": lambda values: Value(_sum(values)),
    "count": lambda values: Value(float(len(values))),
    "latest": lambda values: values[-1] if values else Value(None),
    "max": lambda values: max(values, key=_number) if values else Value(None),
    "min": lambda values: min(values, key=_number) if values else Value(None),
}


def mathematics(function: str, digits: int, result: Result) -> Result:
    """abs, ceil, floor, round."""
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
    if digits > _MAX_DIGITS:  # a double has no more
        return value
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), context=_WIDE))


def trend(function: str, steps: int, step_seconds: float, result: Result) -> Result:
    """Change (`increase`), or change a second (`rate`), against the value so many steps before.

    The first steps of the result have nothing before them and fall away.
    """

    def change(row: Row) -> Row:
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
    """Rows that agree in the labels to keep become one, bucket by bucket."""
    if not result.rows:
        return result
    label_names = [name for name in label_names if name in dict(result.rows[0].labels or ())]
    groups: dict[tuple[Label, ...], list[Row]] = {}
    for row in result.rows:
        labels = dict(row.labels or ())
        groups.setdefault(tuple((name, labels.get(name, "")) for name in label_names), []).append(row)
    rows = tuple(Row(_merge(function, group), labels) for labels, group in groups.items())
    return replace(result, rows=rows, labeled=any(row.labels for row in rows))


def _merge(function: str, rows: list[Row]) -> tuple[Value, ...]:
    merged = []
    for index, first in enumerate(rows[0].values):
        present = [value for row in rows if (value := row.values[index]).value is not None]
        # A sum of nothing is absent here, unlike over time.
        merged.append(Value(_AGGREGATES[function](present).value if present else None, first.id))
    return tuple(merged)


def relabel(old: Label, new: Label | None, result: Result) -> Result:
    """Give labels other names and values, one for one."""
    if new is None:
        return _relabel_positions(old, result)
    before, after = _split(old), _split(new)
    if not before or not after:
        return result
    if len(before) != len(after):
        error = f"Targrt label [{old[0]}]: the number of relabel values is not equal to the number of replace label."
        return replace(result, error=error)
    names = dict(zip(before, after, strict=True))
    rows = tuple(
        replace(row, labels=tuple(names.get(label, label) for label in row.labels or ())) for row in result.rows
    )
    return replace(result, rows=rows)


def _relabel_positions(label: Label, result: Result) -> Result:
    """The first generation has one label, `_`: its rows get new values in their order."""
    values = _split(label)
    if len(values) != len(result.rows):
        return replace(result, error="The number of relabels is not equal to the number of labels.")
    rows = tuple(replace(row, labels=(to,)) for row, to in zip(result.rows, values, strict=True))
    return replace(result, rows=rows)


def _split(label: Label) -> list[Label]:
    name, values = label
    return [(name, value) for value in values.split(",")] if values.strip() else []


def sort_values(*, descending: bool, limit: int | None, result: Result) -> Result:
    """The present values of each row in order, the first of them."""
    rows = tuple(
        replace(row, values=tuple(sorted(_present(row), key=_number, reverse=descending)[:limit]))
        for row in result.rows
    )
    return replace(result, rows=rows)


def sort_labels(names: Sequence[str], *, descending: bool, result: Result) -> Result:
    """The rows in the order of their labels, by the first name, then the next."""

    def key(row: Row) -> list[str]:
        labels = dict(row.labels or ())
        return [labels.get(name, "") for name in names]

    return replace(result, rows=tuple(sorted(result.rows, key=key, reverse=descending)))
