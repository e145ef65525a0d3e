"""Waiting of a measurement whose backend is unavailable, as `analysis/verdict.py` decides it with the defaults."""

from typing import Final

from bench.fleet.tally import Outcome
from skywalking_provider.block.indicator import IndicatorSpec

GRACE_SECONDS: Final = IndicatorSpec.model_fields["outage_grace"].default.total_seconds()
_MIN_DELAY, _MAX_DELAY, _FRACTION = 5.0, 60.0, 4


def resume_delay(elapsed: float) -> float:
    """Return the seconds until the next attempt, after this many seconds of waiting."""
    return min(_MAX_DELAY, max(_MIN_DELAY, elapsed / _FRACTION))


def decide_outage(started_at: float, now: float) -> tuple[Outcome, float]:
    """Return the phase of a measurement and the time of the next attempt."""
    end = started_at + GRACE_SECONDS
    if now >= end:
        return Outcome.INCONCLUSIVE, 0.0
    return Outcome.RUNNING, min(now + resume_delay(now - started_at), end)
