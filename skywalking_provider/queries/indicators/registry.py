"""Registry of the indicators."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

from skywalking_provider.block import IndicatorName
from skywalking_provider.queries.indicators.apdex import Apdex
from skywalking_provider.queries.indicators.base import Indicator
from skywalking_provider.queries.indicators.latency import AverageLatency, PercentileLatency
from skywalking_provider.queries.indicators.success_rate import SuccessRate
from skywalking_provider.queries.indicators.throughput import Throughput


def indicator_for(name: IndicatorName, percentile: int | None = None, aggregate: str | None = None) -> Indicator:
    """Return the indicator with a name.

    A name without an implementation fails type checking, and the import of this module.

    Args:
        name: Name in the block.
        percentile: Percentile of the latency; None for the average.
        aggregate: How the percentiles of the buckets are combined: "highest" (the default) or "weighted".
    """
    match name:
        case IndicatorName.SUCCESS_RATE:
            return SuccessRate()
        case IndicatorName.APDEX:
            return Apdex()
        case IndicatorName.LATENCY:
            if percentile is None:
                return AverageLatency()
            return PercentileLatency(percentile, weighted=aggregate == "weighted")
        case IndicatorName.THROUGHPUT:
            return Throughput()
        case _:
            assert_never(name)


INDICATORS: Final[Mapping[IndicatorName, Indicator]] = MappingProxyType(
    {name: indicator_for(name) for name in IndicatorName}
)
"""All indicators by name, without optional keys."""
