"""Results of expressions: rows of values, each row with its labels. An absent value is None, never 0."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class ResultType(StrEnum):
    """OAP's `ExpressionResultType`."""

    UNKNOWN = "UNKNOWN"
    SINGLE = "SINGLE_VALUE"
    SERIES = "TIME_SERIES_VALUES"
    SORTED = "SORTED_LIST"
    RECORDS = "RECORD_LIST"


Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Value:
    """One value; `id` is its time in milliseconds or the name it belongs to, None for what was calculated."""

    value: float | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Values under one set of labels. `labels` is None where OAP's first generation gives no metadata."""

    values: tuple[Value, ...]
    labels: tuple[Label, ...] | None = ()

    def map(self, change: Callable[[float], float]) -> "Row":
        """The row with each present value changed."""
        return replace(
            self, values=tuple(one if one.value is None else Value(change(one.value), one.id) for one in self.values)
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression comes to."""

    type: ResultType
    rows: tuple[Row, ...] = ()
    labeled: bool = False
    error: str | None = None

    @classmethod
    def from_error(cls, error: str) -> "Result":
        """A result that is only an error."""
        return cls(ResultType.UNKNOWN, error=error)

    @classmethod
    def single(cls, value: float | None, labels: tuple[Label, ...] | None = ()) -> "Result":
        """One value."""
        return cls(ResultType.SINGLE, (Row((Value(value),), labels),))

    @property
    def present(self) -> bool:
        """Whether any value is present."""
        return any(value.value is not None for row in self.rows for value in row.values)

    def map(self, change: Callable[[float], float]) -> "Result":
        """The result with each present value changed."""
        return replace(self, rows=tuple(row.map(change) for row in self.rows))


class EvaluationError(Exception):
    """An operation that OAP refuses; its message becomes the result's error."""
