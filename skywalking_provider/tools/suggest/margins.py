"""Margins that are suggested where pods of one version differ by more than the defaults tolerate. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.block.compare import Bound
from skywalking_provider.tools.backtest.outcome import Summary

_MOST_FALSE_ABORTS: Final = 0.01
"""Share of the A/A runs that may abort. The judge promises a tenth for calls that fail independently of each other."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Margins of a comparison.

    Attributes:
        tolerated: Bound up to which a canary is no worse than tolerated.
        harmful: Bound from which on it must not pass.
    """

    tolerated: Bound
    harmful: Bound

    def to_block(self) -> dict[str, Any]:
        """Return the keys below `compare`."""
        return {
            name: {"ratio": one.ratio, "difference": one.difference}
            for name, one in (("tolerated", self.tolerated), ("harmful", self.harmful))
        }


_WIDER: Final[Mapping[IndicatorName, Sequence[Margins]]] = {
    IndicatorName.SUCCESS_RATE: (
        Margins(Bound(0.005, 1.5), Bound(0.02, 3)),
        Margins(Bound(0.01, 2), Bound(0.03, 4)),
        Margins(Bound(0.02, 2), Bound(0.05, 4)),
    ),
    IndicatorName.LATENCY: (
        Margins(Bound(20, 1.5), Bound(80, 2.5)),
        Margins(Bound(50, 2), Bound(150, 3)),
    ),
}
"""Margins by indicator, each wider than the one before. With wider ones, a canary in need of an abort would pass."""

Widths = Mapping[IndicatorName, int]
"""How often the margins of an indicator were widened; 0 and absent are the defaults of the block."""


def margins_at(name: IndicatorName, widths: Widths) -> Margins | None:
    """Return the margins of an indicator; None for the defaults of the block."""
    width = widths.get(name, 0)
    return _WIDER[name][width - 1] if width else None


def is_noisy(summary: Summary) -> bool:
    """Return whether more A/A runs abort than may, beyond chance."""
    interval = summary.aborts.interval
    return interval is not None and interval[0] > _MOST_FALSE_ABORTS


def widen(name: IndicatorName, widths: Widths) -> int | None:
    """Return the next width of an indicator; None if there is no wider one."""
    width = widths.get(name, 0) + 1
    return width if width <= len(_WIDER[name]) else None
