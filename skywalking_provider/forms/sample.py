"""What a measurement read, whatever its form."""

from dataclasses import dataclass

from skywalking_provider.series import Series


@dataclass(frozen=True, slots=True)
class Sample:
    """The result that the conditions see, and the facts that the message tells.

    Attributes:
        result: JSON.
        told: The most useful fact: what was measured, with its value.
        reads: The reads; one without a present bucket makes the measurement NO_DATA.
        calls: Calls in the window, where they were read.
        covered: In how many buckets of the window there is data, where that is known.
        shown: What was read, as a person looks at it: in the unit of the result, absent where nothing was called.
    """

    result: object
    told: str
    reads: tuple[Series, ...]
    calls: int | None = None
    covered: int | None = None
    shown: tuple[Series, ...] = ()

    @property
    def silent(self) -> tuple[Series, ...]:
        """The reads without any present bucket."""
        return tuple(series for series in self.reads if not series.present)
