"""Sample of a measurement, the same for all query types."""

from dataclasses import dataclass

from skywalking_provider.queries.alarms.report import AlarmReport
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Sides


@dataclass(frozen=True, slots=True)
class Sample:
    """The result for the conditions, and facts for the message and the chart.

    Attributes:
        result: JSON value that the conditions are evaluated on.
        summary: Name and value of the measured metric, for the message.
        series: Series that were read. One without a present bucket makes the measurement NO_DATA.
        calls: Number of calls in the window; None if they were not read.
        buckets_with_data: Number of buckets in the window that have data; None if unknown.
        chart_series: Series for charts, in the unit of the result. A bucket without calls is None.
        missing_labels: Labels that the response has none of, as a cause of missing data for messages; empty if unknown.
        alarms: Alarms that count; None for other blocks than those of alarms.
        sides: Minutes of a judged block; None for other blocks. The result is then that of the judgement.
    """

    result: object
    summary: str
    series: tuple[Series, ...]
    calls: int | None = None
    buckets_with_data: int | None = None
    chart_series: tuple[Series, ...] = ()
    missing_labels: str = ""
    alarms: AlarmReport | None = None
    sides: Sides | None = None

    @property
    def empty_series(self) -> tuple[Series, ...]:
        """Series without any present bucket."""
        return tuple(series for series in self.series if not series.present)
