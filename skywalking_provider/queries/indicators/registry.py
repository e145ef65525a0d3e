"""The indicators and their registry. A new indicator is one class and one case of `indicator_for` here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, assert_never

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator, JudgedIndicator
from skywalking_provider.queries.indicators.counts import FULL, Counts, compute_counts, sum_counts, weighted_mean
from skywalking_provider.queries.indicators.metric_names import MetricMeaning
from skywalking_provider.queries.series import format_number
from skywalking_provider.queries.sides import SideMinute


class SuccessRate(JudgedIndicator):
    """Successful calls divided by all calls, from the counts behind OAP's ratio."""

    name = IndicatorName.SUCCESS_RATE
    meaning = MetricMeaning.SUCCESS_RATE
    max_value = FULL
    scale = FULL

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the lowest rate that the counts allow."""
        return _sum_bucket_counts(rows).success_rate

    def format_result(self, rows: Sequence[BucketValue], result: float) -> str:
        """Return the rate, with the highest possible one if OAP's rounding leaves a range."""
        lowest, highest = format_number(result), format_number(_sum_bucket_counts(rows).success_rate_at_most)
        return lowest if highest == lowest else f"{lowest} (at most {highest})"

    def summarize_minute(self, rows: Sequence[BucketValue]) -> SideMinute:
        """Return the calls with bounds of the number of failed ones."""
        counts = _sum_bucket_counts(rows)
        return SideMinute(counts.calls, counts.calls - counts.high, counts.calls - counts.low)

    def chart_value(self, minute: SideMinute) -> float:
        """Return the lowest rate that the counts allow."""
        return 1 - minute.high / minute.calls


def _sum_bucket_counts(rows: Sequence[BucketValue]) -> Counts:
    return sum_counts([compute_counts(int(row.value), row.calls) for row in rows])


class Apdex(JudgedIndicator):
    """OAP's Apdex score, weighted by calls."""

    name = IndicatorName.APDEX
    meaning = MetricMeaning.APDEX
    max_value = FULL
    scale = FULL

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the mean of the buckets' scores, weighted by calls."""
        return weighted_mean((row.value, row.calls) for row in rows) / FULL

    def summarize_minute(self, rows: Sequence[BucketValue]) -> SideMinute:
        """Return the calls with bounds of the number of dissatisfied ones; a tolerating call counts as a half.

        OAP rounds the score down, as it does with the success rate. Whole numbers are summed, so that the order of the
        entities has no effect.
        """
        low = sum(row.calls * max(0, FULL - int(row.value) - 1) for row in rows)
        high = sum(row.calls * (FULL - int(row.value)) for row in rows)
        return SideMinute(sum(row.calls for row in rows), low / FULL, high / FULL)

    def chart_value(self, minute: SideMinute) -> float:
        """Return the lowest score that the counts allow."""
        return 1 - minute.high / minute.calls


class AverageLatency(JudgedIndicator):
    """Average response time, weighted by calls."""

    name = IndicatorName.LATENCY
    meaning = MetricMeaning.LATENCY

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the mean of the buckets' averages, weighted by calls."""
        return weighted_mean((row.value, row.calls) for row in rows)

    def summarize_minute(self, rows: Sequence[BucketValue]) -> SideMinute:
        """Return the mean of the entities' averages, weighted by calls."""
        return _summarize_latency(rows)

    def chart_value(self, minute: SideMinute) -> float:
        """Return the average in milliseconds."""
        return minute.high


@dataclass(frozen=True)
class PercentileLatency(JudgedIndicator):
    """Percentile of the response time.

    Attributes:
        rank: Rank of the percentile, one of those that SkyWalking stores.
        weighted: Whether the result is the mean of the buckets' percentiles, weighted by calls, an approximation.
            Otherwise it is the highest bucket.
    """

    rank: int
    weighted: bool

    name = IndicatorName.LATENCY
    meaning = MetricMeaning.PERCENTILE

    @property
    def percentile(self) -> int:
        """Percentile to select from the labeled metric."""
        return self.rank

    @property
    def label(self) -> str:
        """Name for messages and charts."""
        return f"{self.name.value} p{self.rank}"

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the highest bucket, or the weighted mean."""
        if self.weighted:
            return weighted_mean((row.value, row.calls) for row in rows)
        return max(row.value for row in rows)

    def summarize_minute(self, rows: Sequence[BucketValue]) -> SideMinute:
        """Return the percentile. Those of several entities cannot be merged, so there is one."""
        return _summarize_latency(rows)

    def chart_value(self, minute: SideMinute) -> float:
        """Return the percentile in milliseconds."""
        return minute.high


def _summarize_latency(rows: Sequence[BucketValue]) -> SideMinute:
    milliseconds = weighted_mean((row.value, row.calls) for row in rows)
    return SideMinute(sum(row.calls for row in rows), milliseconds, milliseconds)


class Throughput(Indicator):
    """Calls per minute over the whole window, minutes without calls included."""

    name = IndicatorName.THROUGHPUT
    meaning = MetricMeaning.CALLS

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:
        """Return the calls of all entities divided by the number of buckets."""
        return sum(row.calls for row in rows) / window.buckets


def indicator_for(name: IndicatorName, percentile: int | None = None, aggregate: str | None = None) -> Indicator:
    """Return the indicator with a name.

    A name without an implementation fails type checking, and the import of this module.

    Args:
        name: Name in the block.
        percentile: Percentile of the latency; None for the average.
        aggregate: How the percentiles of the buckets are combined: "highest" (the default) or "weighted".
    """
    match name:
        case IndicatorName.SUCCESS_RATE:
            return SuccessRate()
        case IndicatorName.APDEX:
            return Apdex()
        case IndicatorName.LATENCY:
            if percentile is None:
                return AverageLatency()
            return PercentileLatency(percentile, weighted=aggregate == "weighted")
        case IndicatorName.THROUGHPUT:
            return Throughput()
        case _:
            assert_never(name)


def judged_indicator_for(name: IndicatorName, percentile: int | None = None) -> JudgedIndicator:
    """Return the indicator with a name whose minutes can be judged.

    Raises:
        ValueError: The indicator cannot be judged. Blocks with it are rejected before.
    """
    match indicator_for(name, percentile):
        case SuccessRate() | Apdex() | AverageLatency() | PercentileLatency() as indicator:
            return indicator
        case other:
            raise ValueError(f"{other.name} cannot be judged")


INDICATORS: Final[Mapping[IndicatorName, Indicator]] = MappingProxyType(
    {name: indicator_for(name) for name in IndicatorName}
)
"""All indicators by name, without optional keys."""
