"""Arithmetic and comparison between results: scalars, series, and rows with labels."""

import math
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from skywalking_provider.mock_oap.mqe.result import EvaluationError, Label, Result, ResultRow, ResultType, Value

Operation = Callable[[float, float], float]
_MANY: Final = (ResultType.SERIES, ResultType.SORTED, ResultType.RECORDS)


def divide(left: float, right: float) -> float:
    """Divide doubles: by zero is infinite, 0/0 is not a number."""
    if right:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: float, right: float) -> float:
    """Compute Java's % of doubles: it has the sign of the left operand, and by zero is not a number."""
    return math.fmod(left, right) if right and math.isfinite(left) else math.nan


def _compare(test: Callable[[float, float], bool]) -> Operation:
    return lambda left, right: float(test(left, right))


_ARITHMETIC: Final[dict[str, Operation]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": remainder,
}
_COMPARISONS: Final[dict[str, Operation]] = {
    "==": _compare(operator.eq),
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
}
_BOOLEAN: Final[dict[str, Operation]] = {
    "&&": lambda left, right: float(left == right == 1),
    "||": lambda left, right: float(1 in (left, right)),
}


def calculate(sign: str, left: Result, right: Result, computed_labels: tuple[Label, ...] | None) -> Result:
    """Calculate `left sign right`.

    Args:
        sign: Arithmetic, comparing or boolean operator.
        left: Left operand.
        right: Right operand.
        computed_labels: Labels of a result that belongs to no metric.

    Raises:
        EvaluationError: OAP rejects the operation. Its texts are those of BoolOp.java.
    """
    if sign not in _BOOLEAN:
        result = _combine(left, right, (_ARITHMETIC | _COMPARISONS)[sign], computed_labels)
        return replace(result, boolean=sign in _COMPARISONS)
    for side, operand in (("left", left), ("right", right)):
        if not operand.boolean:
            raise EvaluationError(f"Bool Operation: The result of the {side} expression is not a compare result.")
    try:
        return replace(_combine(left, right, _BOOLEAN[sign], computed_labels), boolean=True)
    except EvaluationError as error:
        raise EvaluationError(f"Unsupported bool operation: {error}") from error


def _combine(left: Result, right: Result, operation: Operation, computed_labels: tuple[Label, ...] | None) -> Result:
    if left.type is ResultType.SINGLE and right.type is ResultType.SINGLE:
        return _singles(left, right, operation, computed_labels)
    if left.type in _MANY and right.type is ResultType.SINGLE:
        return _many_one(left, right, operation)
    if left.type is ResultType.SINGLE and right.type in _MANY:
        return _many_one(right, left, lambda many, one: operation(one, many))
    if left.type is ResultType.SERIES and right.type is ResultType.SERIES:
        return _series(left, right, operation, computed_labels)
    raise EvaluationError("Unsupported operation.")


def _singles(left: Result, right: Result, operation: Operation, computed_labels: tuple[Label, ...] | None) -> Result:
    if left.labeled and right.labeled:
        return _by_labels(left, right, operation)
    if left.labeled:
        return _many_one(left, right, operation)
    if right.labeled:
        return _many_one(right, left, lambda many, one: operation(one, many))
    one, other = _single_value(left), _single_value(right)
    value = None if one is None or other is None else operation(one, other)
    return Result.single(value, computed_labels)


def _many_one(many: Result, single: Result, operation: Operation) -> Result:
    # An absent single value counts as 0 here, because OAP does not check whether it is absent.
    one = _single_value(single) or 0.0
    return many.map(lambda value: operation(value, one))


def _single_value(single: Result) -> float | None:
    if not single.rows or len(single.rows[0].values) != 1:
        raise EvaluationError("Single to Single, left result is empty or has more than one value.")
    return single.rows[0].values[0].value


def _series(left: Result, right: Result, operation: Operation, computed_labels: tuple[Label, ...] | None) -> Result:
    if left.labeled and right.labeled:
        return _by_labels(left, right, operation)
    plain = right if left.labeled else left
    if not plain.rows or (not left.labeled and not right.labeled and not right.rows):
        raise EvaluationError("Series No Labeled, left or right result is empty.")
    if left.labeled:
        return replace(left, rows=tuple(_zip(row, right.rows[0], operation, row.labels) for row in left.rows))
    if right.labeled:
        return replace(right, rows=tuple(_zip(left.rows[0], row, operation, row.labels) for row in right.rows))
    return replace(left, rows=(_zip(left.rows[0], right.rows[0], operation, computed_labels),))


def _by_labels(left: Result, right: Result, operation: Operation) -> Result:
    others = {frozenset(row.labels or ()): row for row in right.rows}
    rows = []
    for row in left.rows:
        other = others.get(frozenset(row.labels or ()))
        absent = ResultRow(tuple(Value(None, value.id) for value in row.values))
        rows.append(_zip(row, other or absent, operation, row.labels))
    return replace(left, rows=tuple(rows))


def _zip(left: ResultRow, right: ResultRow, operation: Operation, labels: tuple[Label, ...] | None) -> ResultRow:
    if len(left.values) != len(right.values):
        raise EvaluationError("Series No Labeled, left and right series value size not equal.")
    return ResultRow(
        tuple(
            Value(None if one.value is None or other.value is None else operation(one.value, other.value), one.id)
            for one, other in zip(left.values, right.values, strict=True)
        ),
        labels,
    )
