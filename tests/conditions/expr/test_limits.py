"""Limits of expr: conditions that run forever, take all memory or nest too deeply."""

import asyncio
import gc
import time
from pathlib import Path

import pytest

from skywalking_provider.conditions import Evaluation, Limits, open_expr_evaluator
from skywalking_provider.conditions.expr.evaluator import ExprLanguage
from skywalking_provider.conditions.expr.instance import WasmCall
from skywalking_provider.model import Phase

_ENDLESS = "let xs = 1..900; all(xs, {all(xs, {all(xs, {# > 0})})})"
_HUGE = "let a0 = 'xxxxxxxxxxxxxxxx'; " + "".join(f"let a{i + 1} = a{i} + a{i}; " for i in range(30)) + "a30 == ''"
# Long enough for a busy machine. The assertions are about the messages and the order, not about the speed.
_TIMEOUT = 60.0
_SHORT = Limits(seconds=1, slice_seconds=0.2)


async def _timed(
    conditions: ExprLanguage, success: str, result: bytes = b"1", namespace: str = ""
) -> tuple[Evaluation, float]:
    began = time.monotonic()
    evaluation = await conditions.evaluate(success, "", result, timeout=_TIMEOUT, namespace=namespace)
    return evaluation, time.monotonic() - began


async def test_endless_condition_is_stopped_with_the_time_limit_in_its_message() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
        evaluation, took = await _timed(conditions, _ENDLESS)
        assert evaluation.phase is Phase.ERROR
        assert evaluation.message.startswith("could not evaluate the conditions: time limit of 1 s exceeded")
        assert took >= 1
        assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL


async def test_condition_that_exceeds_the_memory_limit_is_stopped_and_the_next_one_succeeds(
    conditions: ExprLanguage,
) -> None:
    evaluation, _ = await _timed(conditions, _HUGE)
    assert evaluation.phase is Phase.ERROR
    assert "memory limit of 64 MiB exceeded" in evaluation.message
    assert (await _timed(conditions, "result == 1"))[0].phase is Phase.SUCCESSFUL


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs procfs")
async def test_memory_of_stopped_conditions_is_released_at_once(conditions: ExprLanguage) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    for i in range(5):  # ten instances of 64 MiB, one after another
        assert (await _timed(conditions, f"{_HUGE} && {i} > 0"))[0].phase is Phase.ERROR
    assert resident() - before < 100 << 20


async def test_condition_that_exceeds_argos_memory_budget_has_argos_message(conditions: ExprLanguage) -> None:
    condition = "len(map(1..999999, repeat('a', #))) > 1"
    evaluation, _ = await _timed(conditions, condition)
    assert evaluation.message == f'could not evaluate successCondition "{condition}": memory budget exceeded'


@pytest.mark.parametrize(
    "condition",
    ["(" * 2045 + "true" + ")" * 2045, "!" * 4092 + "true", "1" + "+1" * 2045 + " > 1"],
    ids=["parentheses", "negations", "terms"],
)
async def test_condition_nested_to_its_length_limit_is_evaluated(conditions: ExprLanguage, condition: str) -> None:
    assert 4090 < len(condition) <= 4096
    assert (await _timed(conditions, condition))[0] == Evaluation(Phase.SUCCESSFUL, value="1")


async def test_result_nested_beyond_gos_limit_is_rejected(conditions: ExprLanguage) -> None:
    evaluation, _ = await _timed(conditions, "len(result) == 1", b"[" * 10_000 + b"]" * 10_000)
    assert evaluation.phase is Phase.SUCCESSFUL
    evaluation, _ = await _timed(conditions, "len(result) == 1", b"[" * 10_001 + b"]" * 10_001)
    assert evaluation.phase is Phase.ERROR
    assert "exceeded max depth" in evaluation.message


async def test_condition_beyond_4_kib_is_rejected_by_its_key(conditions: ExprLanguage) -> None:
    fits = "true" + " " * 4092
    assert (await conditions.evaluate(fits, fits, b"1", timeout=60)).phase is Phase.FAILED
    for success, failure, name in ((fits + " ", "", "successCondition"), ("", fits + " ", "failureCondition")):
        evaluation = await conditions.evaluate(success, failure, b"1", timeout=60)
        assert evaluation.phase is Phase.ERROR
        assert f"{name} has 4,097 bytes, limit 4,096. Shorten it" in evaluation.message
    problem = await conditions.check(fits + " ", timeout=60)
    assert problem is not None
    assert "4,097" in problem.message


async def test_result_beyond_1_mib_is_rejected_with_a_hint(conditions: ExprLanguage) -> None:
    evaluation, _ = await _timed(conditions, "true", b'"' + b"x" * (1 << 20) + b'"')
    assert evaluation.phase is Phase.ERROR
    assert "1,048,578 bytes" in evaluation.message
    assert "fewer buckets" in evaluation.message


async def test_slow_conditions_do_not_hold_the_fast_tier_for_other_namespaces() -> None:
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=0.1)) as conditions:
        slow = [asyncio.create_task(_timed(conditions, f"{_ENDLESS} && {i} > 0")) for i in range(3)]
        await asyncio.sleep(0)
        fast = [await _timed(conditions, f"result == 1 && {i} >= 0", namespace="other") for i in range(20)]
        assert all(evaluation.phase is Phase.SUCCESSFUL for evaluation, _ in fast)
        assert not any(task.done() for task in slow)
    for evaluation, _ in await asyncio.gather(*slow):
        assert evaluation.phase is Phase.ERROR


async def test_large_results_of_queued_conditions_are_bounded(conditions: ExprLanguage) -> None:
    result = b'"%s"' % (b"x" * 1_000_000)
    evaluations = await asyncio.gather(
        *(conditions.evaluate("result != ''", "", result, timeout=_TIMEOUT, namespace="team-a") for _ in range(12))
    )
    rejected = [one for one in evaluations if one.not_evaluated]
    assert len(rejected) == 12 - 1 - 4  # one is evaluated, and the namespace may queue half of 8 MiB
    assert "8 MiB" in rejected[0].message


async def test_stopped_evaluation_takes_no_memory_without_garbage_collection() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
        gc.collect()
        gc.disable()
        try:
            for _ in range(2):  # stopped in the fast tier, then in the isolated tier only
                evaluation, _ = await _timed(conditions, _ENDLESS)
                assert "time limit" in evaluation.message
            await asyncio.sleep(0.5)  # the event loop and the thread still hold the last one for a moment
            assert not [one for one in gc.get_objects() if isinstance(one, WasmCall)]
        finally:
            gc.enable()


async def test_event_loop_continues_while_a_condition_runs() -> None:
    async with open_expr_evaluator(Limits(seconds=2, slice_seconds=0.05)) as conditions:
        running = asyncio.create_task(_timed(conditions, _ENDLESS))
        iterations = 0
        while not running.done():
            await asyncio.sleep(0.005)
            iterations += 1
        assert iterations > 2  # one, if the loop were blocked


async def test_caller_whose_timeout_ends_gets_an_error() -> None:
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=40)) as conditions:
        began = time.monotonic()
        evaluation = await conditions.evaluate(_ENDLESS, "", b"1", timeout=0.2)
        assert time.monotonic() - began < 20  # not after the evaluation's own limit
        assert evaluation.phase is Phase.ERROR
        assert "not evaluated within the remaining 0.2 s" in evaluation.message
        assert (await conditions.evaluate("true", "", b"1", timeout=0)).phase is Phase.ERROR


async def test_cancelled_call_is_cancelled_and_the_next_one_is_evaluated() -> None:
    async with open_expr_evaluator(_SHORT) as conditions:
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


async def test_close_interrupts_running_calls_and_fails_queued_ones() -> None:
    async with open_expr_evaluator(Limits(seconds=60, slice_seconds=40)) as conditions:
        calls = [asyncio.create_task(conditions.evaluate(_ENDLESS, "", b"1", timeout=60)) for _ in range(3)]
        await asyncio.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 30  # not after 40 s, the limit of the fast tier
    for evaluation in await asyncio.gather(*calls):
        assert evaluation == Evaluation(
            Phase.ERROR,
            "could not evaluate the conditions: the service is stopping. Measure again.",
            not_evaluated=True,
        )
    assert "stopping" in (await conditions.evaluate("true", "", b"1", timeout=1)).message
    await conditions.close()  # a second time does nothing


async def test_deeply_nested_result_is_evaluated_whatever_the_instance_evaluated_before(
    conditions: ExprLanguage,
) -> None:
    # A used instance has less stack left than a new one, so every second evaluation needs the isolated tier.
    for _ in range(4):
        evaluation, _ = await _timed(conditions, "len(result) == 1", b"[" * 5000 + b"]" * 5000)
        assert evaluation.phase is Phase.SUCCESSFUL
