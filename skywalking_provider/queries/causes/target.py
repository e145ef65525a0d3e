"""Services whose endpoints can explain a Failed verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.oap.api.inventory import InventoryService


class Contribution(StrEnum):
    """Quantity that the endpoints of a service contribute to."""

    FAILURES = "failures"
    """Number of failed calls."""
    TIME = "time"
    """Milliseconds of all calls."""


CONTRIBUTIONS: Final[Mapping[IndicatorName, Contribution]] = {
    IndicatorName.SUCCESS_RATE: Contribution.FAILURES,
    IndicatorName.APDEX: Contribution.FAILURES,
    IndicatorName.LATENCY: Contribution.TIME,
}
"""Quantity that explains each indicator. The throughput has none: its calls come from other services."""


@dataclass(frozen=True, slots=True)
class CauseTarget:
    """Services whose endpoints are compared.

    Attributes:
        indicator: Indicator to explain, one of `CONTRIBUTIONS`.
        canary: Service of the canary.
        stable: Service of stable; None if it is that of the canary, or there is none.
        service_wide: Whether the canary is a part of its service. The metrics of endpoints then have calls of others.
        instances: Instances of the canary that were measured; empty if it is a whole service.
        own_amount: What the canary itself contributed; None if it is unknown.
        averages: Whether the result of the block is an average over calls.
    """

    indicator: IndicatorName
    canary: InventoryService
    stable: InventoryService | None = None
    service_wide: bool = False
    instances: tuple[str, ...] = ()
    own_amount: float | None = None
    averages: bool = True

    @property
    def contribution(self) -> Contribution:
        """Quantity to compare."""
        return CONTRIBUTIONS[self.indicator]
