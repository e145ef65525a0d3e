"""The fast path, the fast tier and the isolated tier of expr, with injected clocks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from wasmtime import WasmtimeError

from skywalking_provider.conditions.expr.instance import WasmCall
from skywalking_provider.conditions.expr.scheduler import TwoTierScheduler
from skywalking_provider.conditions.limits import Limits, StoppedError, StopReason
from skywalking_provider.model import Deadline

_LIMITS = Limits(seconds=1, slice_seconds=0.5)
_DEPENDS_ON_RESULT = "let xs = 1..int(result); all(xs, {all(xs, {all(xs, {# > 0})})})"


def _call(success: str, result: bytes = b"1") -> WasmCall:
    key = (success.encode(), b"")
    return WasmCall("evaluate", (*key, result), key)


async def _phase(scheduler: TwoTierScheduler, success: str, result: bytes = b"1") -> str:
    phase, _, _ = await scheduler.execute(_call(success, result), "", Deadline.after(60))
    return phase.decode()


def _ticking(seconds: float) -> Callable[[], float]:
    """Return a clock that advances by `seconds` at each reading."""
    readings: Iterator[float] = count(0.0, seconds)
    return lambda: next(readings)


@pytest.fixture
async def scheduler(request: pytest.FixtureRequest) -> AsyncIterator[TwoTierScheduler]:
    """A scheduler to which every evaluation seems to take the given seconds of CPU time."""
    cpu_seconds = getattr(request, "param", 0.0)
    opened = await asyncio.to_thread(TwoTierScheduler, _LIMITS, thread_time=_ticking(cpu_seconds))
    yield opened
    await opened.close()


async def test_cheap_condition_is_evaluated_in_the_event_loops_thread(scheduler: TwoTierScheduler) -> None:
    assert await _phase(scheduler, "result >= 1") == "Successful"
    scheduler._fast.stop()
    scheduler._inline_pool._seconds = 30  # a busy machine may take longer than a tick
    assert await _phase(scheduler, "result >= 1", b"0") == "Failed"


@pytest.mark.parametrize("scheduler", [0.003], indirect=True)
async def test_expensive_condition_stays_in_the_fast_tier(scheduler: TwoTierScheduler) -> None:
    assert await _phase(scheduler, "result >= 1") == "Successful"
    assert _call("result >= 1") not in scheduler._fast_path
    assert scheduler._inline_pool.instance is None


async def test_cheap_condition_leaves_the_fast_path_for_a_larger_result(scheduler: TwoTierScheduler) -> None:
    await _phase(scheduler, "len(result) > 0", b"[1,2,3]")
    assert _call("len(result) > 0", b"[1,2,3,4,5,6]") in scheduler._fast_path
    assert _call("len(result) > 0", b"[1]" * 100) not in scheduler._fast_path


async def test_fast_path_interrupts_a_condition_that_became_slow(scheduler: TwoTierScheduler) -> None:
    assert await _phase(scheduler, _DEPENDS_ON_RESULT, b"1") == "Successful"
    assert _call(_DEPENDS_ON_RESULT, b"1") in scheduler._fast_path
    running = asyncio.create_task(_phase(scheduler, _DEPENDS_ON_RESULT, b"900"))
    iterations = 0
    while not running.done():
        await asyncio.sleep(0.005)
        iterations += 1
    with pytest.raises(StoppedError) as caught:
        running.result()
    assert caught.value.reason is StopReason.TIME
    assert iterations > 2  # one, if the loop were blocked
    assert _call(_DEPENDS_ON_RESULT, b"1") not in scheduler._fast_path


async def test_stopped_condition_starts_in_the_isolated_tier_next_time(scheduler: TwoTierScheduler) -> None:
    with pytest.raises(StoppedError):
        await _phase(scheduler, _DEPENDS_ON_RESULT, b"900")
    pool = scheduler._fast._pool
    assert pool.instance is None  # the fast tier discarded it
    await scheduler.execute(_call("result == 1"), "other", Deadline.after(60))
    instance = pool.instance
    with pytest.raises(StoppedError):
        await _phase(scheduler, _DEPENDS_ON_RESULT, b"900")
    assert pool.instance is instance is not None


@pytest.mark.parametrize(("scheduler", "slow"), [(0.4, False), (0.6, True)], indirect=["scheduler"])
async def test_condition_within_the_slice_returns_to_the_fast_tier(scheduler: TwoTierScheduler, *, slow: bool) -> None:
    scheduler._tiers.slow_conditions.add("", (b"result == 1", b""))  # as if it had been stopped
    assert await _phase(scheduler, "result == 1") == "Successful"
    assert scheduler._tiers.slow_conditions.is_suspected("", (b"result == 1", b"")) is slow


async def test_scheduler_is_unhealthy_while_no_instance_starts_and_recovers(
    scheduler: TwoTierScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise WasmtimeError("no address space")

    sandbox = scheduler._sandbox
    monkeypatch.setattr(sandbox, "_linker", SimpleNamespace(instantiate=fail))
    with pytest.raises(StoppedError) as caught:
        await _phase(scheduler, "result == 1")
    assert caught.value.reason is StopReason.UNAVAILABLE
    await scheduler.recover()
    assert not scheduler.healthy

    monkeypatch.undo()
    await scheduler.recover()
    assert scheduler.healthy
    assert await _phase(scheduler, "result == 1") == "Successful"
