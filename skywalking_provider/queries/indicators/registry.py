"""The indicators and their registry. A new indicator is one class and one case of `indicator_for` here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, assert_never

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.counts import FULL, Counts, compute_counts, sum_counts, weighted_mean
from skywalking_provider.queries.indicators.metric_names import MetricMeaning
from skywalking_provider.queries.series import format_number


class SuccessRate(Indicator):
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


def _sum_bucket_counts(rows: Sequence[BucketValue]) -> Counts:
    return sum_counts([compute_counts(int(row.value), row.calls) for row in rows])


class Apdex(Indicator):
    """OAP's Apdex score, weighted by calls."""

    name = IndicatorName.APDEX
    meaning = MetricMeaning.APDEX
    max_value = FULL
    scale = FULL

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the mean of the buckets' scores, weighted by calls."""
        return weighted_mean((row.value, row.calls) for row in rows) / FULL


class AverageLatency(Indicator):
    """Average response time, weighted by calls."""

    name = IndicatorName.LATENCY
    meaning = MetricMeaning.LATENCY

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the mean of the buckets' averages, weighted by calls."""
        return weighted_mean((row.value, row.calls) for row in rows)


@dataclass(frozen=True)
class PercentileLatency(Indicator):
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


INDICATORS: Final[Mapping[IndicatorName, Indicator]] = MappingProxyType(
    {name: indicator_for(name) for name in IndicatorName}
)
"""All indicators by name, without optional keys."""
