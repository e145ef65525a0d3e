"""The choice between the fast and the isolated tier, and the order of the namespaces in each."""

import asyncio

import pytest

from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.conditions.tiers import TIER_LIMITS, Tiers
from skywalking_provider.model import Deadline

_KEY = ("result > 1", "")


class Evaluators:
    """The evaluators of both tiers, which record their use."""

    def __init__(self, *, stop: StopReason | None = None, cpu_seconds: float = 1.0) -> None:
        self.used: list[str] = []
        self._stop = stop
        self._cpu_seconds = cpu_seconds

    async def fast(self) -> str:
        self.used.append("fast")
        if self._stop is not None:
            raise StoppedError(self._stop)
        return "fast response"

    async def isolated(self) -> tuple[str, float]:
        self.used.append("isolated")
        return "isolated response", self._cpu_seconds

    async def run(self, tiers: Tiers, key: tuple[str, ...] = _KEY, namespace: str = "team-a") -> str:
        return await tiers.run(key, namespace, Deadline.after(60), fast=self.fast, isolated=self.isolated)


async def test_condition_within_the_slice_stays_in_the_fast_tier() -> None:
    tiers, evaluators = Tiers(0.1), Evaluators()
    assert await evaluators.run(tiers) == "fast response"
    assert evaluators.used == ["fast"]


@pytest.mark.parametrize("reason", sorted(TIER_LIMITS))
async def test_stopped_condition_is_evaluated_in_the_isolated_tier_now_and_next_time(reason: StopReason) -> None:
    tiers, evaluators = Tiers(0.1), Evaluators(stop=reason)
    assert await evaluators.run(tiers) == "isolated response"
    assert await evaluators.run(tiers) == "isolated response"
    assert evaluators.used == ["fast", "isolated", "isolated"]


@pytest.mark.parametrize("reason", sorted(set(StopReason) - TIER_LIMITS))
async def test_reason_that_is_the_same_in_both_tiers_is_raised_at_once(reason: StopReason) -> None:
    tiers, evaluators = Tiers(0.1), Evaluators(stop=reason)
    for _ in range(2):
        with pytest.raises(StoppedError):
            await evaluators.run(tiers)
    assert evaluators.used == ["fast", "fast"]


async def test_limits_of_the_fast_tier_are_configurable() -> None:
    tiers, evaluators = Tiers(0.1, frozenset({StopReason.DEPTH})), Evaluators(stop=StopReason.DEPTH)
    assert await evaluators.run(tiers) == "isolated response"


async def test_condition_faster_than_the_slice_in_the_isolated_tier_returns_to_the_fast_tier() -> None:
    tiers, evaluators = Tiers(0.1), Evaluators(cpu_seconds=0.09)
    tiers.slow_conditions.add("team-a", _KEY)
    for _ in range(2):
        await evaluators.run(tiers)
    assert evaluators.used == ["isolated", "fast"]


async def test_condition_that_the_deadline_ends_is_not_slow() -> None:
    tiers, deadline = Tiers(0.1), Deadline.after(0.05)

    async def stop_at_the_deadline() -> str:
        while deadline.remaining:
            pass
        raise StoppedError(StopReason.TIME)

    evaluators = Evaluators()
    with pytest.raises(StoppedError) as caught:
        await tiers.run(_KEY, "team-a", deadline, fast=stop_at_the_deadline, isolated=evaluators.isolated)
    assert caught.value.reason is StopReason.QUEUE_TIMEOUT
    await evaluators.run(tiers)
    assert evaluators.used == ["fast"]


async def test_new_slow_conditions_of_a_namespace_enter_the_fast_tier_once() -> None:
    tiers = Tiers(0.1)
    slow, fast = Evaluators(stop=StopReason.TIME), Evaluators()
    running = [asyncio.create_task(slow.run(tiers, (str(i),), "team-a")) for i in range(100)]
    await asyncio.sleep(0)
    assert await fast.run(tiers, ("other",), "team-b") == "fast response"
    assert slow.used.count("fast") == 1
    assert set(await asyncio.gather(*running)) == {"isolated response"}
    assert slow.used.count("fast") == 1


async def test_condition_of_another_namespace_waits_for_one_slow_one_in_the_isolated_tier() -> None:
    tiers, order = Tiers(0.1), []

    async def evaluate(namespace: str, number: int) -> None:
        async def isolated() -> tuple[None, float]:
            await asyncio.sleep(0.02)
            order.append(namespace)
            return None, 1.0

        async def fast() -> None:
            raise StoppedError(StopReason.TIME)

        await tiers.run((str(number),), namespace, Deadline.after(60), fast=fast, isolated=isolated)

    await evaluate("team-a", -1)  # now both namespaces are slow
    await evaluate("team-b", -1)
    order.clear()
    many = [asyncio.create_task(evaluate("team-a", number)) for number in range(20)]
    await asyncio.sleep(0)
    for number in range(3):
        await evaluate("team-b", number)
    assert order.count("team-a") <= 4
    await asyncio.gather(*many)
