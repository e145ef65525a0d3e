"""Keys of a judged block that say with whom the canary is compared, by which margins, and with which confidence."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from skywalking_provider.block.common import NonEmpty, NotBoolean
from skywalking_provider.block.entity import Instances, Layer, ServiceParts
from skywalking_provider.block.indicator import IndicatorName
from skywalking_provider.support.strict_model import StrictModel
from skywalking_provider.support.validation_messages import describe_value

MAX_RATIO: Final = 20
MAX_DIFFERENCE: Final = 0.5
"""Highest difference of rates."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound of the canary beside stable: `difference + ratio * stable`.

    Attributes:
        difference: Difference of failure rates from 0 to 1, or of milliseconds.
        ratio: Factor of stable's failure rate or latency.
    """

    difference: float
    ratio: float


TOLERATED: Final = {
    IndicatorName.SUCCESS_RATE: Bound(0.001, 1.25),
    IndicatorName.APDEX: Bound(0.01, 1.25),
    IndicatorName.LATENCY: Bound(10, 1.25),
}
"""Bounds up to which a canary is tolerated, by indicator."""
HARMFUL: Final = {
    IndicatorName.SUCCESS_RATE: Bound(0.01, 3),
    IndicatorName.APDEX: Bound(0.05, 2),
    IndicatorName.LATENCY: Bound(50, 2),
}
"""Bounds from which on a canary must not pass, by indicator."""


class Margin(StrictModel):
    """A margin beside stable: the canary's failure rate or latency is at most ratio × stable + difference.

    Attributes:
        ratio: Factor of stable's failure rate (1 − success rate, 1 − apdex) or latency.
        difference: Difference of the failure rates (0.01 is one percentage point), or milliseconds of the latency.
    """

    ratio: Annotated[float, Field(ge=1, le=MAX_RATIO, allow_inf_nan=False), NotBoolean] | None = None
    difference: Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean] | None = None

    def or_default(self, default: Bound) -> Bound:
        """Return the bound, with defaults for what is not written."""
        return Bound(
            default.difference if self.difference is None else self.difference,
            default.ratio if self.ratio is None else self.ratio,
        )


class Compare(StrictModel):
    """Stable, with which the canary is compared in the same minutes.

    Attributes:
        service: Name of stable's service, or its parts. Default is that of the block.
        layer: SkyWalking layer of the service. Default is that of the block.
        endpoint: Name of an endpoint of the service. Default is that of the block.
        instances: Selector of stable's instances. It is not taken from the block.
        tolerated: How much worse than stable is no reason to abort. Default is a ratio of 1.25, and a difference of
            0.001 for success-rate, 0.01 for apdex and 10 ms for latency.
        harmful: How much worse than stable must not pass. Default is a ratio of 3 and a difference of 0.01 for
            success-rate, 2 and 0.05 for apdex, 2 and 50 ms for latency.
    """

    service: NonEmpty | ServiceParts | None = None
    layer: Layer | None = None
    endpoint: NonEmpty | None = None
    instances: Instances | None = None
    tolerated: Margin = Margin()
    harmful: Margin = Margin()


WorseConfidence = Annotated[float, Field(ge=0.95, le=0.999999, allow_inf_nan=False), NotBoolean]
"""Confidence of a worse canary. Alone, it is a short form of both."""


class JudgedConfidence(StrictModel):
    """Confidence of both findings.

    Attributes:
        worse: A canary that is no worse than tolerated is found worse in at most 1 − worse of the runs.
        fine: A canary that is at least harmful is found fine in at most 1 − fine of the runs.
    """

    worse: WorseConfidence = 0.999
    fine: Annotated[float, Field(gt=0.5, le=0.999, allow_inf_nan=False), NotBoolean] = 0.95


def accept_number(value: Any) -> Any:
    """Return the map of a confidence; a number is that of `worse`.

    Raises:
        ValueError: The value is of another type.
    """
    match value:
        case dict() | JudgedConfidence():
            return value
        case bool() | None | list():
            raise ValueError(
                f"is {describe_value(value)} instead of a number. Write one such as 0.999, or a map with worse and fine"
            )
    return {"worse": value}
