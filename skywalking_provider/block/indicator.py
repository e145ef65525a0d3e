"""The query type `sli`: an indicator selected by name."""

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from skywalking_provider.block.common import InvalidKeyError, NotBoolean
from skywalking_provider.block.entity import EntitySpec
from skywalking_provider.support.validation_messages import describe_value

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


def _check_percentile_form(value: object) -> object:
    known = ", ".join(map(str, PERCENTILES))
    match value:
        case str() if value.strip().isdigit():  # a number that an argument has made a text
            return value
        case str() if (digits := value.strip().lower().removeprefix("p").removesuffix("%")).isdigit():
            instead = f"{digits}; known are" if digits in map(str, PERCENTILES) else "one of"
            raise ValueError(f"is {describe_value(value)} instead of a whole number. Write {instead} {known}")
        case list():
            raise ValueError(f"is a list, but an indicator is one number. Write one of {known}, and a metric for each")
        case str() | float() if value not in PERCENTILES:
            raise ValueError(f"is {describe_value(value)} instead of a whole number. Write one of {known}")
    return value


def _check_indicator_name(value: object) -> object:
    text = value.strip().lower() if isinstance(value, str) else ""
    digits = text.removeprefix("percentile").removeprefix("p")
    if text in _WORDS:
        raise ValueError(f"is {value!r}. {_WORDS[text]}")
    if digits != text and digits.isascii() and digits.isdigit() and int(digits) in PERCENTILES:
        raise ValueError(f"is {value!r}. Write sli: latency with percentile: {digits}")
    return value


_WORDS: Final = {
    "successrate": "Write success-rate",
    "success_rate": "Write success-rate",
    "sla": "Write success-rate",
    "error-rate": "Write success-rate, and 1 - result in the condition",
    "errorrate": "Write success-rate, and 1 - result in the condition",
    "request-success-rate": "Write success-rate; its result is 0 to 1, not percent",
    "request-duration": "Write latency; its result is in milliseconds",
    "resp_time": "Write latency",
    "response-time": "Write latency",
    "cpm": "Write throughput",
    "rps": "Write throughput; its result is in calls per minute",
    "qps": "Write throughput; its result is in calls per minute",
}
"""Names of the indicators in other tools, with what to write instead."""


def _check_percentile(number: int) -> int:
    if number not in PERCENTILES:
        raise ValueError(f"SkyWalking keeps the percentiles {', '.join(map(str, PERCENTILES))}, not {number}")
    return number


Percentile = Annotated[int, NotBoolean, BeforeValidator(_check_percentile_form), AfterValidator(_check_percentile)]


Sli = Annotated[
    IndicatorName,
    BeforeValidator(_check_indicator_name),
    Field(description="; ".join(f"`{name.value}` in {name.unit}" for name in IndicatorName) + "."),
]
"""Name of an indicator."""


class IndicatorSpec(EntitySpec):
    """An indicator of the window.

    Attributes:
        percentile: Percentile of `latency`. Without it, `latency` is the average.
        aggregate: How the percentiles of the buckets become one number: the highest bucket, or the mean weighted by
            calls (an approximation).
    """

    sli: Sli
    percentile: Percentile | None = None
    aggregate: Literal["highest", "weighted"] | None = None

    @model_validator(mode="after")
    def _check_percentile_keys(self) -> "IndicatorSpec":
        if self.percentile is not None and self.sli is not IndicatorName.LATENCY:
            raise InvalidKeyError("percentile", f"belongs to sli: latency, not to {self.sli}")
        if self.aggregate is not None and self.percentile is None:
            raise InvalidKeyError("aggregate", "belongs to a percentile")
        return self
