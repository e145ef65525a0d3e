"""The indicator `success-rate`."""

from collections.abc import Sequence

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Window
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.counts import FULL, Counts, compute_counts, sum_counts
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
