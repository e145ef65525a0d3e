"""Forms B and C: a metrics query expression, or an indicator by name."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from skywalking_provider.spec.common import NotBoolean
from skywalking_provider.spec.entity import EntitySpec
from skywalking_provider.spec.mqe import check_expression, ranking_in

PERCENTILES = (50, 75, 90, 95, 99)


class Sli(StrEnum):
    """The indicators that have a name."""

    SUCCESS_RATE = "success-rate"
    APDEX = "apdex"
    LATENCY = "latency"
    THROUGHPUT = "throughput"


def _percentile(number: int) -> int:
    if number not in PERCENTILES:
        raise ValueError(f"SkyWalking keeps the percentiles {', '.join(map(str, PERCENTILES))}, not {number}")
    return number


class ExpressionSpec(EntitySpec):
    """Form B: MQE, OAP 9.5 and newer.

    Attributes:
        expression: OAP rounds results to three decimals: scale with `scale`, not in the expression.
        scale: Every number of the result is divided by this.
    """

    expression: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(check_expression)]
    scale: Annotated[float, NotBoolean] = Field(default=1.0, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ranks_all(self) -> "ExpressionSpec":
        chosen = "instances" if self.instances else "endpoint" if self.endpoint else ""
        if chosen and (ranking := ranking_in(self.expression)):
            raise ValueError(
                f"{chosen}: {ranking} ranks all instances or endpoints of the service, whichever are selected; leave"
                f" {chosen} out, or read a metric of them"
            )
        return self


class SliSpec(EntitySpec):
    """Form C: an indicator of the window.

    Attributes:
        sli: `success-rate` and `apdex` are 0..1, `latency` is in milliseconds, `throughput` in calls a minute.
        percentile: For `latency`: of this percentile instead of the average.
        aggregate: How the percentiles of the buckets become one: the highest bucket, or weighted by calls
            (an approximation).
    """

    sli: Sli
    percentile: Annotated[int, NotBoolean, AfterValidator(_percentile)] | None = None
    aggregate: Literal["highest", "weighted"] | None = None

    @model_validator(mode="after")
    def _percentile_of_latency(self) -> "SliSpec":
        if self.percentile is not None and self.sli is not Sli.LATENCY:
            raise ValueError(f"percentile: belongs to sli: latency, not to {self.sli}")
        if self.aggregate is not None and self.percentile is None:
            raise ValueError("aggregate: belongs to a percentile")
        return self
