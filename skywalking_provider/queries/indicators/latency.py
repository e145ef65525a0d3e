"""The indicator `latency`: the average, or a percentile."""

from collections.abc import Sequence
from dataclasses import dataclass

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.counts import weighted_mean
from skywalking_provider.queries.indicators.metric_names import MetricMeaning


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
