"""Results of expressions: rows of values with labels. An absent value is None."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from skywalking_provider.mock_oap.entity_ids import EntityKey


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
    """One value. `id` is its time in milliseconds or the name of its entity; None for a computed value."""

    value: float | None
    id: str | None = None
    owner: EntityKey | None = None


@dataclass(frozen=True, slots=True)
class ResultRow:
    """Values with one set of labels. `labels` is None where the first generation of MQE returns no metadata."""

    values: tuple[Value, ...]
    labels: tuple[Label, ...] | None = ()

    def map(self, change: Callable[[float], float]) -> "ResultRow":
        """Return the row with each present value changed."""
        return replace(
            self,
            values=tuple(one if one.value is None else replace(one, value=change(one.value)) for one in self.values),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """Result of an expression."""

    type: ResultType
    rows: tuple[ResultRow, ...] = ()
    labeled: bool = False
    error: str | None = None
    boolean: bool = False
    """Whether it is the result of a comparison, or of comparisons that are joined."""

    @classmethod
    def from_error(cls, error: str) -> "Result":
        """Build a result with only an error."""
        return cls(ResultType.UNKNOWN, error=error)

    @classmethod
    def single(cls, value: float | None, labels: tuple[Label, ...] | None = ()) -> "Result":
        """Build a result of one value."""
        return cls(ResultType.SINGLE, (ResultRow((Value(value),), labels),))

    @property
    def present(self) -> bool:
        """Whether any value is present."""
        return any(value.value is not None for row in self.rows for value in row.values)

    def map(self, change: Callable[[float], float]) -> "Result":
        """Return the result with each present value changed."""
        return replace(self, rows=tuple(row.map(change) for row in self.rows))


class EvaluationError(Exception):
    """An operation that OAP rejects. The message becomes the error of the result."""
