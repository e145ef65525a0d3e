"""The query type `sli`: an indicator selected by name."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from skywalking_provider.block.common import InvalidKeyError, NotBoolean
from skywalking_provider.block.entity import EntitySpec

PERCENTILES = (50, 75, 90, 95, 99)


# `queries.indicators.registry.indicator_for` does not type-check without an implementation for every member.
class IndicatorName(StrEnum):
    """Names of the indicators, each with the unit of its result."""

    unit: str

    def __new__(cls, value: str, unit: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.unit = unit
        return member

    SUCCESS_RATE = "success-rate", "0..1"
    APDEX = "apdex", "0..1"
    LATENCY = "latency", "milliseconds"
    THROUGHPUT = "throughput", "calls per minute"


def _check_percentile(number: int) -> int:
    if number not in PERCENTILES:
        raise ValueError(f"SkyWalking keeps the percentiles {', '.join(map(str, PERCENTILES))}, not {number}")
    return number


class IndicatorSpec(EntitySpec):
    """An indicator of the window.

    Attributes:
        percentile: Percentile of `latency`. Without it, `latency` is the average.
        aggregate: How the percentiles of the buckets become one number: the highest bucket, or the mean weighted by
            calls (an approximation).
    """

    sli: Annotated[
        IndicatorName,
        Field(description="; ".join(f"`{name.value}` in {name.unit}" for name in IndicatorName) + "."),
    ]
    percentile: Annotated[int, NotBoolean, AfterValidator(_check_percentile)] | None = None
    aggregate: Literal["highest", "weighted"] | None = None

    @model_validator(mode="after")
    def _check_percentile_keys(self) -> "IndicatorSpec":
        if self.percentile is not None and self.sli is not IndicatorName.LATENCY:
            raise InvalidKeyError("percentile", f"belongs to sli: latency, not to {self.sli}")
        if self.aggregate is not None and self.percentile is None:
            raise InvalidKeyError("aggregate", "belongs to a percentile")
        return self
