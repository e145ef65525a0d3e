"""Conditions that want to stall, fill or break the service."""

import asyncio
import time
from pathlib import Path

import pytest

from skywalking_provider.conditions import Evaluation, Limits, open_expr_evaluator
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.conditions.expr.pool import WasmCall
from skywalking_provider.model import Phase

_ENDLESS = "let xs = 1..900; all(xs, {all(xs, {all(xs, {# > 0})})})"
_HUGE = "let a0 = 'xxxxxxxxxxxxxxxx'; " + "".join(f"let a{i + 1} = a{i} + a{i}; " for i in range(30)) + "a30 == ''"
_SHORT = Limits(seconds=0.4, slice_seconds=0.05)


async def _timed(conditions: ExprLanguage, success: str, result: bytes = b"1") -> tuple[Evaluation, float]:
    begun = time.monotonic()
    judged = await conditions.evaluate(success, "", result, timeout=60)
    return judged, time.monotonic() - begun


async def test_a_condition_without_end_is_stopped_and_named_by_its_limit() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
        judged, took = await _timed(conditions, _ENDLESS)
        assert judged.phase is Phase.ERROR
        assert judged.message.startswith("could not evaluate the conditions: stopped at the limit of 0.4 s")
        assert 0.4 <= took < 60  # each bound here is generous: the machine may be busy
        assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL


async def test_a_condition_that_takes_all_memory_is_stopped_and_the_next_is_well(conditions: ExprLanguage) -> None:
    judged, _ = await _timed(conditions, _HUGE)
    assert judged.phase is Phase.ERROR
    assert "stopped at the limit of 64 MiB of memory" in judged.message
    assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells the memory there")
async def test_the_memory_of_stopped_conditions_is_given_back_at_once(conditions: ExprLanguage) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    for i in range(5):  # ten guests of 64 MiB, one after the other
        assert (await _timed(conditions, f"{_HUGE} && {i} > 0"))[0].phase is Phase.ERROR
    assert resident() - before < 100 << 20


async def test_argos_own_budget_answers_in_argos_words(conditions: ExprLanguage) -> None:
    condition = "len(map(1..999999, repeat('a', #))) > 1"
    judged, _ = await _timed(conditions, condition)
    assert judged.message == f'could not evaluate successCondition "{condition}": memory budget exceeded'


@pytest.mark.parametrize(
    "condition",
    ["(" * 2045 + "true" + ")" * 2045, "!" * 4092 + "true", "1" + "+1" * 2045 + " > 1"],
    ids=["parentheses", "negations", "terms"],
)
async def test_nesting_to_the_last_byte_is_no_trouble(conditions: ExprLanguage, condition: str) -> None:
    assert 4090 < len(condition) <= 4096
    assert (await _timed(conditions, condition))[0] == Evaluation(Phase.SUCCESSFUL, value="1")


async def test_a_result_nested_to_the_limit_of_go_is_judged_and_beyond_it_refused(conditions: ExprLanguage) -> None:
    judged, _ = await _timed(conditions, "len(result) == 1", b"[" * 10_000 + b"]" * 10_000)
    assert judged.phase is Phase.SUCCESSFUL
    judged, _ = await _timed(conditions, "len(result) == 1", b"[" * 10_001 + b"]" * 10_001)
    assert judged.phase is Phase.ERROR
    assert "exceeded max depth" in judged.message


async def test_a_condition_of_4_kib_is_read_and_one_byte_more_is_refused_by_name(conditions: ExprLanguage) -> None:
    fits = "true" + " " * 4092
    assert (await conditions.evaluate(fits, fits, b"1", timeout=60)).phase is Phase.FAILED
    for success, failure, name in ((fits + " ", "", "successCondition"), ("", fits + " ", "failureCondition")):
        judged = await conditions.evaluate(success, failure, b"1", timeout=60)
        assert judged.phase is Phase.ERROR
        assert f"{name} has 4,097 bytes, more than the 4,096 that are read: shorten it" in judged.message
    mistake = await conditions.check(fits + " ", timeout=60)
    assert mistake is not None
    assert "4,097" in mistake.message


async def test_a_result_beyond_a_mebibyte_is_refused_with_a_remedy(conditions: ExprLanguage) -> None:
    judged, _ = await _timed(conditions, "true", b'"' + b"x" * (1 << 20) + b'"')
    assert judged.phase is Phase.ERROR
    assert "1,048,578 bytes" in judged.message
    assert "fewer buckets" in judged.message


async def test_hostile_conditions_delay_honest_ones_by_no_more_than_their_slices() -> None:
    async with open_expr_evaluator(Limits(seconds=20, slice_seconds=0.1)) as conditions:
        hostile = [asyncio.create_task(_timed(conditions, f"{_ENDLESS} && {i} > 0")) for i in range(3)]
        await asyncio.sleep(0)
        honest = [await _timed(conditions, f"result == 1 && {i} >= 0") for i in range(20)]
        assert all(judged.phase is Phase.SUCCESSFUL for judged, _ in honest)
        assert honest[0][1] >= 0.3  # three slices, once
        assert sum(took for _, took in honest) < 20  # the hostile ones run for 20 s each
        assert not any(task.done() for task in hostile)  # they are at it still
    for judged, _ in await asyncio.gather(*hostile):
        assert judged.phase is Phase.ERROR


async def test_a_condition_that_was_stopped_once_no_longer_enters_the_lane_of_all() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
        await _timed(conditions, _ENDLESS)
        guest = conditions._scheduler._fast._pool.instance
        assert guest is None  # it was ended there
        await _timed(conditions, "result == 1")
        guest = conditions._scheduler._fast._pool.instance
        await _timed(conditions, _ENDLESS)
        assert conditions._scheduler._fast._pool.instance is guest is not None


async def test_a_condition_that_proved_light_is_evaluated_without_a_thread(conditions: ExprLanguage) -> None:
    await _timed(conditions, "result >= 1")
    conditions._scheduler._fast.stop()
    assert (await _timed(conditions, "result >= 1", b"0"))[0].phase is Phase.FAILED


async def test_a_light_condition_is_not_light_on_a_larger_result(conditions: ExprLanguage) -> None:
    await _timed(conditions, "len(result) > 0", b"[1,2,3]")
    lanes = conditions._scheduler
    assert WasmCall("evaluate", (b"", b"[1,2,3,4,5,6]"), (b"len(result) > 0", b"")) in lanes._fast_path
    assert WasmCall("evaluate", (b"", b"[1]" * 100), (b"len(result) > 0", b"")) not in lanes._fast_path


async def test_a_condition_that_is_light_no_more_holds_the_event_loop_for_a_moment_only() -> None:
    condition = "let xs = 1..int(result); all(xs, {all(xs, {all(xs, {# > 0})})})"
    async with open_expr_evaluator(Limits(seconds=0.4, slice_seconds=0.1)) as conditions:
        assert (await _timed(conditions, condition, b"1"))[0].phase is Phase.SUCCESSFUL
        running = asyncio.create_task(_timed(conditions, condition, b"900"))
        turns = 0
        while not running.done():
            await asyncio.sleep(0.005)
            turns += 1
        judged, _ = running.result()
        assert "stopped at the limit of 0.4 s" in judged.message
        assert turns > 5
        assert not any(key[0] == condition.encode() for key in conditions._scheduler._fast_path._sizes)


async def test_an_honest_condition_on_a_slow_machine_comes_back_to_the_lane_of_all() -> None:
    async with open_expr_evaluator(Limits(seconds=2, slice_seconds=0.5)) as conditions:
        conditions._scheduler._slow[(b"result == 1", b"")] = None  # as if it had been stopped
        assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL
        assert not conditions._scheduler._slow


async def test_the_list_of_stopped_conditions_is_bounded(conditions: ExprLanguage) -> None:
    lanes = conditions._scheduler
    for i in range(300):
        lanes._mark_slow(WasmCall("evaluate", (), key=(b"%d" % i,)))
    assert len(lanes._slow) == 256
    assert (b"299",) in lanes._slow
    assert (b"0",) not in lanes._slow


async def test_the_event_loop_goes_on_while_a_condition_runs() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
        running = asyncio.create_task(_timed(conditions, _ENDLESS))
        turns = 0
        while not running.done():
            await asyncio.sleep(0.005)
            turns += 1
        assert turns > 5


async def test_a_caller_out_of_time_is_answered_on_time() -> None:
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=60)) as conditions:
        begun = time.monotonic()
        judged = await conditions.evaluate(_ENDLESS, "", b"1", timeout=0.2)
        assert time.monotonic() - begun < 30  # the evaluation may take 60 s
        assert judged.phase is Phase.ERROR
        assert "no answer within the 0.2 s left for it" in judged.message
        assert (await conditions.evaluate("true", "", b"1", timeout=0)).phase is Phase.ERROR


async def test_a_cancelled_question_is_cancelled_and_leaves_the_lane_to_others(conditions: ExprLanguage) -> None:
    running = asyncio.create_task(conditions.evaluate(_ENDLESS, "", b"1", timeout=60))
    waiting = asyncio.create_task(conditions.evaluate("result == 2", "", b"2", timeout=60))
    await asyncio.sleep(0.05)
    for task in (running, waiting):
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(running, waiting, return_exceptions=True)
    )
    assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL


async def test_closing_ends_what_runs_and_answers_what_waits() -> None:
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=60)) as conditions:
        asked = [asyncio.create_task(conditions.evaluate(_ENDLESS, "", b"1", timeout=60)) for _ in range(3)]
        await asyncio.sleep(0.1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 40
    for judged in await asyncio.gather(*asked):
        assert judged == Evaluation(
            Phase.ERROR,
            "could not evaluate the conditions: the service is stopping; measure again",
            not_evaluated=True,
        )
    assert "stopping" in (await conditions.evaluate("true", "", b"1", timeout=1)).message
    await conditions.close()  # a second time does nothing
