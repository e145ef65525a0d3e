"""What a measurement read, whatever its form."""

from dataclasses import dataclass

from skywalking_provider.queries.series import Series


@dataclass(frozen=True, slots=True)
class Sample:
    """The result that the conditions see, and the facts that the message tells.

    Attributes:
        result: JSON.
        summary: The most useful fact: what was measured, with its value.
        series: The reads; one without a present bucket makes the measurement NO_DATA.
        calls: Calls in the window, where they were read.
        buckets_with_data: In how many buckets of the window there is data, where that is known.
        chart_series: The series for charts, in the unit of the result; None where a bucket has no calls.
    """

    result: object
    summary: str
    series: tuple[Series, ...]
    calls: int | None = None
    buckets_with_data: int | None = None
    chart_series: tuple[Series, ...] = ()

    @property
    def empty_series(self) -> tuple[Series, ...]:
        """The reads without any present bucket."""
        return tuple(series for series in self.series if not series.present)
