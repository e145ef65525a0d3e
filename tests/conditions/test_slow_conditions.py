"""The choice between the fast and the isolated tier."""

import pytest

from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.conditions.slow_conditions import SlowConditions

_KEY = ("result > 1", "")


class Tiers:
    """Two tiers that record their use."""

    def __init__(self, *, stop: StopReason | None = None, seconds: float = 1.0) -> None:
        self.used: list[str] = []
        self._stop = stop
        self._seconds = seconds

    async def fast(self) -> str:
        self.used.append("fast")
        if self._stop is not None:
            raise StoppedError(self._stop)
        return "fast response"

    async def isolated(self) -> tuple[str, float]:
        self.used.append("isolated")
        return "isolated response", self._seconds


async def run(slow_conditions: SlowConditions, tiers: Tiers) -> str:
    return await slow_conditions.run(_KEY, fast=tiers.fast, isolated=tiers.isolated)


async def test_condition_within_the_slice_stays_in_the_fast_tier() -> None:
    slow_conditions, tiers = SlowConditions(0.1), Tiers()
    assert await run(slow_conditions, tiers) == "fast response"
    assert tiers.used == ["fast"]
    assert _KEY not in slow_conditions


@pytest.mark.parametrize("reason", [StopReason.TIME, StopReason.MEMORY])
async def test_stopped_condition_is_evaluated_in_the_isolated_tier_now_and_next_time(reason: StopReason) -> None:
    slow_conditions, tiers = SlowConditions(0.1), Tiers(stop=reason)
    assert await run(slow_conditions, tiers) == "isolated response"
    assert await run(slow_conditions, tiers) == "isolated response"
    assert tiers.used == ["fast", "isolated", "isolated"]


@pytest.mark.parametrize(
    "reason", [StopReason.DEPTH, StopReason.QUEUE_TIMEOUT, StopReason.CLOSED, StopReason.UNAVAILABLE]
)
async def test_reason_that_is_the_same_in_both_tiers_is_raised_at_once(reason: StopReason) -> None:
    slow_conditions, tiers = SlowConditions(0.1), Tiers(stop=reason)
    with pytest.raises(StoppedError):
        await run(slow_conditions, tiers)
    assert tiers.used == ["fast"]
    assert _KEY not in slow_conditions


async def test_limits_of_the_fast_tier_are_configurable() -> None:
    slow_conditions, tiers = SlowConditions(0.1, frozenset({StopReason.DEPTH})), Tiers(stop=StopReason.DEPTH)
    assert await run(slow_conditions, tiers) == "isolated response"
    assert _KEY in slow_conditions


async def test_condition_faster_than_the_slice_in_the_isolated_tier_is_forgotten() -> None:
    slow_conditions = SlowConditions(0.1)
    slow_conditions.add(_KEY)
    await run(slow_conditions, Tiers(seconds=0.09))
    assert _KEY not in slow_conditions


def test_memory_of_slow_conditions_is_bounded_and_drops_the_oldest() -> None:
    slow_conditions = SlowConditions(0.1)
    for i in range(300):
        slow_conditions.add((str(i),))
    assert len(slow_conditions) == 256
    assert ("299",) in slow_conditions
    assert ("0",) not in slow_conditions
