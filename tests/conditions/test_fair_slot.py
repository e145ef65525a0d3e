"""The slot of an evaluator: bounded, fair between namespaces, and free again however an evaluation ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.conditions.fair_slot import FairSlot
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline


def evaluation(seconds: float = 0.0) -> Callable[[], Awaitable[str]]:
    async def evaluate() -> str:
        await asyncio.sleep(seconds)
        return "response"

    return evaluate


async def run(slot: FairSlot, namespace: str = "team-a", seconds: float = 0.0, within: float = 60.0) -> str:
    return await slot.run(namespace, Deadline.after(within), evaluation(seconds))


async def test_evaluations_run_one_at_a_time() -> None:
    slot, running, most = FairSlot(), 0, 0

    async def evaluate() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(slot.run(str(number % 3), Deadline.after(60), evaluate) for number in range(30)))
    assert most == 1


async def test_namespace_with_long_evaluations_comes_after_one_with_short_evaluations() -> None:
    now, order = 0.0, []
    slot = FairSlot(monotonic=lambda: now)

    async def evaluate(namespace: str, seconds: float) -> None:
        async def advance() -> None:
            nonlocal now
            now += seconds
            order.append(namespace)

        await slot.run(namespace, Deadline.after(60), advance)

    long = [asyncio.create_task(evaluate("long", 1.0)) for _ in range(3)]
    short = [asyncio.create_task(evaluate("short", 0.01)) for _ in range(50)]
    await asyncio.gather(*long, *short)
    assert order == ["long", *["short"] * 50, "long", "long"]


async def test_bytes_of_queued_results_are_bounded_and_shared_by_the_namespaces() -> None:
    slot = FairSlot(max_bytes=100)
    running = asyncio.create_task(slot.run("team-a", Deadline.after(60), evaluation(0.01), size=1_000))
    await asyncio.sleep(0)

    async def queue(namespace: str, size: int) -> str:
        return await slot.run(namespace, Deadline.after(60), evaluation(), size=size)

    first = [asyncio.create_task(queue("team-a", 25)) for _ in range(3)]  # a namespace holds as much as is free
    second = [asyncio.create_task(queue("team-b", 25)) for _ in range(2)]
    ends = await asyncio.gather(running, *first, *second, return_exceptions=True)
    assert [end.reason if isinstance(end, StoppedError) else end for end in ends] == [
        *["response"] * 3,
        StopReason.QUEUE_FULL,
        "response",
        StopReason.QUEUE_FULL,
    ]


async def test_first_result_of_a_namespace_is_queued_whatever_others_hold() -> None:
    slot = FairSlot(max_bytes=100)
    sizes = {"team-a": 1_000, "team-b": 90, "team-c": 90, "team-d": 1_000}
    tasks = [slot.run(name, Deadline.after(60), evaluation(0.001), size=size) for name, size in sizes.items()]
    assert await asyncio.gather(*tasks) == ["response"] * 4


async def test_bytes_of_results_are_free_again_after_cancelled_and_evaluated_conditions() -> None:
    slot = FairSlot(max_bytes=100)
    for _ in range(5):
        tasks = [
            asyncio.create_task(slot.run("team-a", Deadline.after(60), evaluation(0.001), size=size))
            for size in (1_000, 40, 10)
        ]
        await asyncio.sleep(0)
        tasks[1].cancel()
        assert await asyncio.gather(*tasks, return_exceptions=True) != ["response"] * 3
        assert not tasks[2].exception()


async def test_full_queue_of_a_namespace_rejects_only_its_own_evaluations() -> None:
    slot = FairSlot(max_queued=3)
    running = [asyncio.create_task(run(slot, seconds=0.01)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(StoppedError) as caught:
        await run(slot)
    assert caught.value.reason is StopReason.QUEUE_FULL
    assert caught.value.reason.not_evaluated
    assert await run(slot, "team-b") == "response"
    assert await asyncio.gather(*running) == ["response"] * 4


async def test_evaluation_without_a_slot_before_its_deadline_ends_there() -> None:
    slot, end = FairSlot(), asyncio.Event()
    running = asyncio.create_task(slot.run("team-a", Deadline.after(60), end.wait))
    await asyncio.sleep(0)
    for within in (0.0, 0.01):
        with pytest.raises(StoppedError) as caught:
            await run(slot, within=within)
        assert caught.value.reason is StopReason.QUEUE_TIMEOUT
    end.set()
    assert await running
    assert await run(slot) == "response"


async def test_slot_stays_taken_until_the_evaluation_of_a_caller_that_left_ends() -> None:
    slot, end = FairSlot(), asyncio.Event()
    leaving = asyncio.create_task(slot.run("team-a", Deadline.after(60), end.wait))
    await asyncio.sleep(0)
    leaving.cancel()
    waiting = asyncio.create_task(run(slot))
    await asyncio.wait([leaving])
    await asyncio.sleep(0.01)
    assert not waiting.done()
    end.set()
    assert await waiting == "response"


async def test_close_ends_queued_evaluations() -> None:
    slot, end = FairSlot(), asyncio.Event()
    running = asyncio.create_task(slot.run("team-a", Deadline.after(60), end.wait))
    waiting = [asyncio.create_task(run(slot)) for _ in range(3)]
    await asyncio.sleep(0)
    slot.close()
    for one in [*waiting, asyncio.create_task(run(slot))]:
        with pytest.raises(StoppedError) as caught:
            await one
        assert caught.value.reason is StopReason.CLOSED
    end.set()
    assert await running


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["end", "fail", "cancel", "timeout"]))))
def test_slot_is_free_again_however_evaluations_end(evaluations: list[tuple[str, str]]) -> None:
    async def check() -> None:
        slot = FairSlot()

        async def fail() -> str:
            raise StoppedError(StopReason.TIME)

        tasks = []
        for namespace, ending in evaluations:
            evaluate = fail if ending == "fail" else evaluation()
            deadline = Deadline.after(0.0001 if ending == "timeout" else 60)
            tasks.append((asyncio.create_task(slot.run(namespace, deadline, evaluate)), ending))
            await asyncio.sleep(0)
        for task, ending in tasks:
            if ending == "cancel":
                task.cancel()
        await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        assert await run(slot) == "response"
        assert not slot._taken
        assert not len(slot._queue)

    asyncio.run(check())
