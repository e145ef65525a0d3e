"""Interface of an indicator: the metrics that it reads, and how it computes a number from their buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.oap.api.metric_values import MAX_COUNT
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries.indicators.metric_names import MetricMeaning, ScopeMetrics
from skywalking_provider.queries.series import format_number
from skywalking_provider.queries.sides import SideMinute


@dataclass(frozen=True, slots=True)
class BucketValue:
    """One bucket of one entity. It has at least one call.

    Attributes:
        bucket: Position in the window.
        calls: Number of calls.
        value: Value of the indicator's metric; the calls if the indicator reads no other metric.
    """

    bucket: int
    calls: int
    value: float


class Indicator(Protocol):
    """An indicator. Implementations subclass this protocol for its defaults."""

    @property
    def name(self) -> IndicatorName:
        """Name in the block. It also has the unit of the result."""
        ...

    @property
    def meaning(self) -> MetricMeaning:
        """Meaning of the metric that the indicator reads. With CALLS it reads no metric beside the calls."""
        ...

    @property
    def label(self) -> str:
        """Name for messages and charts."""
        return self.name.value

    @property
    def percentile(self) -> int | None:
        """Percentile to select from a labeled metric; None if the metric has one series."""
        return None

    @property
    def max_value(self) -> Number:
        """Highest value that SkyWalking stores in a bucket of the metric."""
        return MAX_COUNT

    @property
    def scale(self) -> int:
        """Divisor from the metric's stored values to the unit of the indicator."""
        return 1

    @property
    def needs_values(self) -> bool:
        """Whether the indicator reads a metric beside the calls."""
        return self.meaning is not MetricMeaning.CALLS

    def metrics(self, names: ScopeMetrics) -> tuple[str, ...]:
        """Return the possible names of the indicator's metric, the newest OAP's first."""
        return names.by_meaning(self.meaning)

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:
        """Return the indicator of a window, in its unit.

        Args:
            rows: Buckets of all entities that have calls; at least one.
            window: Window of the rows.
        """
        ...

    def format_result(self, rows: Sequence[BucketValue], result: float) -> str:  # noqa: ARG002
        """Return the result for messages."""
        return format_number(result)


class JudgedIndicator(Indicator, Protocol):
    """An indicator whose minutes can be judged."""

    def summarize_minute(self, rows: Sequence[BucketValue]) -> SideMinute:
        """Return one minute over all entities.

        Args:
            rows: The minute's values, one of each entity that has calls; at least one.
        """
        ...

    def chart_value(self, minute: SideMinute) -> float:
        """Return the value of a minute in the indicator's unit; the worse end if it has bounds."""
        ...
