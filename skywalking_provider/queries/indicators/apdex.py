"""The indicator `apdex`."""

from collections.abc import Sequence

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.counts import FULL, weighted_mean
from skywalking_provider.queries.indicators.metric_names import MetricMeaning


class Apdex(Indicator):
    """OAP's Apdex score, weighted by calls."""

    name = IndicatorName.APDEX
    meaning = MetricMeaning.APDEX
    max_value = FULL
    scale = FULL

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:  # noqa: ARG002
        """Return the mean of the buckets' scores, weighted by calls."""
        return weighted_mean((row.value, row.calls) for row in rows) / FULL
