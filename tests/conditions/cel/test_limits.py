"""Conditions in CEL that want to stall, fill or break the service, and processes that end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from skywalking_provider.conditions import Evaluation
from skywalking_provider.conditions.cel import worker_process as processes
from skywalking_provider.conditions.cel.evaluator import CEL_LIMITS, CelLanguage
from skywalking_provider.conditions.limits import Limits
from skywalking_provider.model import Phase

_LIST = b"[" + b",".join(b"%d" % i for i in range(1000)) + b"]"
_ENDLESS = "result.all(a, result.all(b, result.all(c, c >= 0)))"
_HUGE = "['xxxxxxxxxxxxxxxx']" + ".map(a, a + a)" * 40 + " == []"
# Time enough for the start of a process on a busy machine.
_WAIT = 30.0


@pytest.fixture
async def cel() -> AsyncIterator[CelLanguage]:
    conditions = CelLanguage()
    yield conditions
    await conditions.close()


@pytest.fixture
async def unhurried() -> AsyncIterator[CelLanguage]:
    """Where another limit than time is tried, however busy the machine is."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=20, slice_seconds=10))
    yield conditions
    await conditions.close()


async def _timed(cel: CelLanguage, success: str, result: bytes = b"1") -> tuple[Evaluation, float]:
    begun = time.monotonic()
    judged = await cel.evaluate(success, "", result, timeout=_WAIT)
    return judged, time.monotonic() - begun


async def _well(cel: CelLanguage) -> bool:
    return (await _timed(cel, "result == 1"))[0] == Evaluation(Phase.SUCCESSFUL)


async def _start(cel: CelLanguage) -> None:
    """Have both processes ready."""
    assert await _well(cel)
    cel._mark_slow(("result == 2",))
    assert (await _timed(cel, "result == 2", b"2"))[0].phase is Phase.SUCCESSFUL


def _alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_of_cel_is_in_the_services_process_and_nothing_is_started_for_nothing() -> None:
    program = (
        "import asyncio, sys\n"
        "from skywalking_provider.conditions.cel.evaluator import CelLanguage\n"
        "async def main():\n"
        "    cel = CelLanguage()\n"
        "    await cel.evaluate('', '', b'1', timeout=1)\n"
        "    assert cel._fast.pid is cel._isolated.pid is None\n"
        "    judged = await cel.evaluate('result == 1', '', b'1', timeout=60)\n"
        "    assert judged.phase == 'Successful', judged\n"
        "    await cel.close()\n"
        "asyncio.run(main())\n"
        "assert not {'celpy', 'lark', 're2', 'pendulum'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=90)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_a_hostile_expression_ends_within_a_second_and_keeps_its_process(cel: CelLanguage) -> None:
    await _start(cel)
    pids = (cel._fast.pid, cel._isolated.pid)
    judged, took = await _timed(cel, _ENDLESS, _LIST)
    assert judged.phase is Phase.ERROR
    assert judged.message.startswith("could not evaluate the conditions: stopped at the limit of 0.4 s")
    assert 0.5 <= took < _WAIT  # 0.6 s on a machine that is not busy; without the limit it would take minutes
    assert await _well(cel)
    assert (cel._fast.pid, cel._isolated.pid) == pids


async def test_the_first_question_starts_both_processes_side_by_side(cel: CelLanguage) -> None:
    asked = asyncio.create_task(_well(cel))
    while cel._fast.pid is None or cel._isolated.pid is None:
        assert not asked.done(), "a hostile expression would wait for a start of its own"
        await asyncio.sleep(0.001)
    assert await asked


async def test_twenty_honest_ones_finish_while_a_hostile_one_runs() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=30, slice_seconds=1, memory_bytes=128 << 20))
    try:
        await _start(cel)
        hostile = asyncio.create_task(_timed(cel, _ENDLESS, _LIST))
        await asyncio.sleep(0)
        honest = await asyncio.gather(*(_timed(cel, f"result == 1 && {i} >= 0") for i in range(20)))
        assert all(judged == Evaluation(Phase.SUCCESSFUL) for judged, _ in honest)
        assert max(took for _, took in honest) < 20  # a slice, and twenty evaluations of a millisecond or two
        assert not hostile.done()
        # Once known, it does not come before the others again.
        again = asyncio.create_task(_timed(cel, _ENDLESS, _LIST))
        await asyncio.sleep(0.01)
        assert cel._fast._exchange_task is None
        judged, took = await _timed(cel, "result == 1 && true")
        assert judged.phase is Phase.SUCCESSFUL
        assert took < 20
        assert not again.done()
    finally:
        await cel.close()
    for judged, _ in await asyncio.gather(hostile, again):
        assert judged == Evaluation(
            Phase.ERROR,
            "could not evaluate the conditions: the service is stopping; measure again",
            not_evaluated=True,
        )


async def test_an_expression_that_takes_all_memory_is_stopped_and_the_next_is_well(unhurried: CelLanguage) -> None:
    judged, _ = await _timed(unhurried, _HUGE)
    assert judged.phase is Phase.ERROR
    assert "stopped at the limit of 128 MiB of memory" in judged.message
    assert await _well(unhurried)


@pytest.mark.parametrize(
    "condition",
    ["1" + "+1" * 1000 + " > 1", "!" * 2000 + "true", "[" * 1000 + "]" * 1000 + " == []"],
    ids=["terms", "negations", "lists"],
)
async def test_what_is_nested_too_deep_is_an_error_and_no_crash(unhurried: CelLanguage, condition: str) -> None:
    assert await _well(unhurried)
    pid = unhurried._fast.pid
    judged, _ = await _timed(unhurried, condition)
    assert judged.phase is Phase.ERROR
    assert "nested too deep" in judged.message
    assert await _well(unhurried)
    assert unhurried._fast.pid == pid


async def test_parentheses_and_a_long_conjunction_are_not_too_deep(unhurried: CelLanguage) -> None:
    for condition in ("(" * 1000 + "true" + ")" * 1000, "true" + " && true" * 250):
        assert (await _timed(unhurried, condition))[0].phase is Phase.SUCCESSFUL


async def test_a_result_nested_too_deep_is_an_error(unhurried: CelLanguage) -> None:
    judged, _ = await _timed(unhurried, "true", b"[" * 50_000 + b"]" * 50_000)
    assert judged.phase is Phase.ERROR
    assert "nested too deep" in judged.message
    assert await _well(unhurried)


async def test_a_text_that_stalls_the_parser_is_stopped(cel: CelLanguage) -> None:
    await _start(cel)
    judged, took = await _timed(cel, '"' + r"\a" * 1000)  # 2^1000 ways to read it, for cel-python's lexer
    assert judged.phase is Phase.ERROR
    assert "stopped at the limit of 0.4 s" in judged.message
    assert took < _WAIT
    assert await _well(cel)


async def test_a_process_that_is_killed_is_replaced_without_anybody_noticing(cel: CelLanguage) -> None:
    for _ in range(2):
        assert await _well(cel)
        pid = cel._fast.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await _well(cel)
        assert cel._fast.pid not in (None, pid)
    assert not cel._slow  # it was not the question's fault


async def test_a_process_that_is_stuck_is_ended_in_time(cel: CelLanguage) -> None:
    await _start(cel)
    stuck = cel._fast.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)  # neither its timer nor anything else runs
    judged, _ = await _timed(cel, "result == 1")
    assert judged.phase is Phase.SUCCESSFUL  # by the patient one
    assert not _alive(stuck)
    assert await _well(cel)


async def test_closing_ends_the_processes_and_answers_what_waits() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=60, slice_seconds=40, memory_bytes=128 << 20))
    await _start(cel)
    pids = (cel._fast.pid, cel._isolated.pid)
    asked = [asyncio.create_task(_timed(cel, f"{_ENDLESS} && {i} > 0", _LIST)) for i in range(3)]
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    await cel.close()
    assert time.monotonic() - begun < 30  # an evaluation may take 40 s
    for judged, _ in await asyncio.gather(*asked):
        assert "the service is stopping; measure again" in judged.message
    assert not any(map(_alive, pids))
    assert "stopping" in (await _timed(cel, "true"))[0].message
    await cel.close()  # a second time does nothing


def test_a_service_that_is_killed_leaves_no_process_behind() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from skywalking_provider.conditions.cel.evaluator import CelLanguage\n"
        "async def main():\n"
        "    cel = CelLanguage()\n"
        "    await cel.evaluate('true', '', b'1', timeout=60)\n"
        "    print(cel._fast.pid, flush=True)\n"
        f"    asking = asyncio.create_task(cel.evaluate({_ENDLESS!r}, '', {_LIST!r}, timeout=60))\n"
        "    await asyncio.sleep(0.02)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=90)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    end = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _alive(pid)


async def test_closing_during_the_start_leaves_no_process() -> None:
    cel = CelLanguage()
    asked = asyncio.create_task(_timed(cel, "true"))
    while cel._fast.pid is None:  # noqa: ASYNC110 — nothing tells of it
        await asyncio.sleep(0.001)
    pid = cel._fast.pid
    await cel.close()
    assert "stopping" in (await asked)[0].message
    assert not _alive(pid)


async def test_a_cancelled_question_is_cancelled_and_its_answer_is_not_the_next_ones(cel: CelLanguage) -> None:
    await _start(cel)
    running = asyncio.create_task(cel.evaluate(_ENDLESS, "", _LIST, timeout=5))
    waiting = asyncio.create_task(cel.evaluate("result == 2", "", b"2", timeout=5))
    await asyncio.sleep(0.05)
    for task in (running, waiting):
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(running, waiting, return_exceptions=True)
    )
    for i in range(5):
        assert (await _timed(cel, f"result == {i}", b"1"))[0].phase is (Phase.SUCCESSFUL if i == 1 else Phase.FAILED)


async def test_a_caller_out_of_time_is_answered_on_time() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=60, slice_seconds=60, memory_bytes=128 << 20))
    try:
        await _start(cel)
        begun = time.monotonic()
        judged = await cel.evaluate(_ENDLESS, "", _LIST, timeout=0.2)
        assert time.monotonic() - begun < 30
        assert judged.phase is Phase.ERROR
        assert "no answer within the 0.2 s left for it" in judged.message
        assert (await cel.evaluate("true", "", b"1", timeout=0)).phase is Phase.ERROR
        assert await _well(cel)  # not after 60 s: the evaluation ended with its caller
        assert time.monotonic() - begun < 50
    finally:
        await cel.close()


async def test_an_honest_expression_on_a_slow_machine_comes_back_to_the_others(cel: CelLanguage) -> None:
    cel._mark_slow(("result == 1",))  # as if it had been stopped
    assert await _well(cel)
    assert not cel._slow


async def test_the_memory_of_stopped_expressions_is_bounded(cel: CelLanguage) -> None:
    for i in range(300):
        cel._mark_slow((str(i),))
    assert len(cel._slow) == 256
    assert ("299",) in cel._slow
    assert ("0",) not in cel._slow


async def test_a_result_beyond_a_mebibyte_is_refused_and_one_below_is_judged(unhurried: CelLanguage) -> None:
    judged, _ = await _timed(unhurried, "true", b'"' + b"x" * CEL_LIMITS.result_bytes + b'"')
    assert "1,048,578 bytes, more than the 1,048,576 that are judged" in judged.message
    judged, _ = await _timed(unhurried, "result.size() > 1", b'"' + b"x" * (CEL_LIMITS.result_bytes - 2) + b'"')
    assert judged.phase is Phase.SUCCESSFUL


async def test_a_worker_that_does_not_start_is_an_error_with_its_reason_in_the_log(
    cel: CelLanguage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "_MODULE", "skywalking_provider.there_is_no_such_module")
    judged, _ = await _timed(cel, "true")
    assert judged.phase is Phase.ERROR
    assert "the evaluator does not start; the service's log says why" in judged.message
    assert "the process ended before it was ready" in capsys.readouterr().out
    monkeypatch.undo()
    assert await _well(cel)


async def test_the_worker_sees_no_credentials_of_the_service(cel: CelLanguage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAP_PASSWORD", "secret")
    assert await _well(cel)
    with open(f"/proc/{cel._fast.pid}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123 — procfs
        assert b"OAP_PASSWORD" not in environment.read()
