"""The query type `sli`: an indicator by name."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from skywalking_provider.block.common import NotBoolean
from skywalking_provider.block.entity import EntitySpec

PERCENTILES = (50, 75, 90, 95, 99)


class IndicatorName(StrEnum):
    """The indicators that have a name."""

    SUCCESS_RATE = "success-rate"
    APDEX = "apdex"
    LATENCY = "latency"
    THROUGHPUT = "throughput"


def _check_percentile(number: int) -> int:
    if number not in PERCENTILES:
        raise ValueError(f"SkyWalking keeps the percentiles {', '.join(map(str, PERCENTILES))}, not {number}")
    return number


class IndicatorSpec(EntitySpec):
    """Form C: an indicator of the window.

    Attributes:
        sli: `success-rate` and `apdex` are 0..1, `latency` is in milliseconds, `throughput` in calls a minute.
        percentile: For `latency`: of this percentile instead of the average.
        aggregate: How the percentiles of the buckets become one: the highest bucket, or weighted by calls
            (an approximation).
    """

    sli: IndicatorName
    percentile: Annotated[int, NotBoolean, AfterValidator(_check_percentile)] | None = None
    aggregate: Literal["highest", "weighted"] | None = None

    @model_validator(mode="after")
    def _check_percentile_keys(self) -> "IndicatorSpec":
        if self.percentile is not None and self.sli is not IndicatorName.LATENCY:
            raise ValueError(f"percentile: belongs to sli: latency, not to {self.sli}")
        if self.aggregate is not None and self.percentile is None:
            raise ValueError("aggregate: belongs to a percentile")
        return self
