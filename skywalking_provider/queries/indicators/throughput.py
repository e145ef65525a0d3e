"""The indicator `throughput`."""

from collections.abc import Sequence

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.metric_names import MetricMeaning


class Throughput(Indicator):
    """Calls per minute over the whole window, minutes without calls included."""

    name = IndicatorName.THROUGHPUT
    meaning = MetricMeaning.CALLS

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:
        """Return the calls of all entities divided by the number of buckets."""
        return sum(row.calls for row in rows) / window.buckets
