"""Limits of CEL: expressions that run forever, take all memory or nest too deeply, and workers that exit."""

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
from skywalking_provider.conditions.cel.evaluator import CEL_LIMITS, CelLanguage
from skywalking_provider.conditions.limits import Limits
from skywalking_provider.model import Phase

_LIST = b"[" + b",".join(b"%d" % i for i in range(1000)) + b"]"
_ENDLESS = "result.all(a, result.all(b, result.all(c, c >= 0)))"
_HUGE = "['xxxxxxxxxxxxxxxx']" + ".map(a, a + a)" * 40 + " == []"
# Long enough to start a process on a busy machine.
_TIMEOUT = 60.0


@pytest.fixture
async def cel() -> AsyncIterator[CelLanguage]:
    """A language with the default limits, but for the time: a busy machine needs more."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=2, slice_seconds=0.5))
    yield conditions
    await conditions.close()


@pytest.fixture
async def cel_with_long_limits() -> AsyncIterator[CelLanguage]:
    """A language whose time limits are not reached, even on a busy machine."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=20, slice_seconds=10))
    yield conditions
    await conditions.close()


async def _timed(cel: CelLanguage, success: str, result: bytes = b"1", namespace: str = "") -> tuple[Evaluation, float]:
    began = time.monotonic()
    evaluation = await cel.evaluate(success, "", result, timeout=_TIMEOUT, namespace=namespace)
    return evaluation, time.monotonic() - began


async def _is_healthy(cel: CelLanguage) -> bool:
    return (await _timed(cel, "result == 1"))[0] == Evaluation(Phase.SUCCESSFUL)


async def _start(cel: CelLanguage) -> None:
    """Start both processes."""
    assert await _is_healthy(cel)
    cel._tiers.slow_conditions.add("", ("result == 2",))
    assert (await _timed(cel, "result == 2", b"2"))[0].phase is Phase.SUCCESSFUL


def _alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_service_process_does_not_import_cel_and_starts_workers_on_first_use() -> None:
    program = (
        "import asyncio, sys\n"
        "from skywalking_provider.conditions.cel.evaluator import CelLanguage\n"
        "from skywalking_provider.conditions.limits import Limits\n"
        "async def main():\n"
        "    cel = CelLanguage(Limits(condition_bytes=2048, seconds=30, slice_seconds=10, memory_bytes=128 << 20))\n"
        "    await cel.evaluate('', '', b'1', timeout=1)\n"
        "    assert cel._fast.pid is cel._isolated.pid is None\n"
        "    evaluation = await cel.evaluate('result == 1', '', b'1', timeout=60)\n"
        "    assert evaluation.phase == 'Successful', evaluation\n"
        "    await cel.close()\n"
        "asyncio.run(main())\n"
        "assert not {'celpy', 'lark', 're2', 'pendulum'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=90)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_large_results_of_queued_conditions_are_bounded(cel_with_long_limits: CelLanguage) -> None:
    result = b'"%s"' % (b"x" * 1_000_000)
    evaluations = await asyncio.gather(
        *(
            cel_with_long_limits.evaluate("result != ''", "", result, timeout=_TIMEOUT, namespace="team-a")
            for _ in range(12)
        )
    )
    assert sum(one.not_evaluated for one in evaluations) == 12 - 1 - 4


async def test_endless_expression_is_stopped_and_its_worker_survives(cel: CelLanguage) -> None:
    await _start(cel)
    pids = (cel._fast.pid, cel._isolated.pid)
    evaluation, took = await _timed(cel, _ENDLESS, _LIST)
    assert evaluation.phase is Phase.ERROR
    assert evaluation.message.startswith("could not evaluate the conditions: time limit of 2 s exceeded")
    assert took >= 2.5  # the slice and the limit
    assert await _is_healthy(cel)
    assert (cel._fast.pid, cel._isolated.pid) == pids


async def test_first_request_starts_both_workers_in_parallel(cel: CelLanguage) -> None:
    request = asyncio.create_task(_is_healthy(cel))
    while cel._fast.pid is None or cel._isolated.pid is None:
        assert not request.done(), "a slow expression would wait for another start"
        await asyncio.sleep(0.001)
    assert await request


async def test_twenty_fast_expressions_finish_while_a_slow_one_runs() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=30, slice_seconds=1, memory_bytes=128 << 20))
    try:
        await _start(cel)
        slow = asyncio.create_task(_timed(cel, _ENDLESS, _LIST))
        await asyncio.sleep(0)
        fast = await asyncio.gather(*(_timed(cel, f"result == 1 && {i} >= 0", namespace="other") for i in range(20)))
        assert all(evaluation == Evaluation(Phase.SUCCESSFUL) for evaluation, _ in fast)
        assert not slow.done()
        # Conditions of its own namespace that are known as fast are not delayed either.
        assert (await _timed(cel, "result == 1"))[0].phase is Phase.SUCCESSFUL
        assert not slow.done()
        # Now that it is known as slow, it does not delay the others again.
        again = asyncio.create_task(_timed(cel, _ENDLESS, _LIST))
        await asyncio.sleep(0.01)
        assert not cel._tiers._fast_slot._taken
        assert (await _timed(cel, "result == 1 && true", namespace="other"))[0].phase is Phase.SUCCESSFUL
        assert not again.done()
    finally:
        await cel.close()
    for evaluation, _ in await asyncio.gather(slow, again):
        assert evaluation == Evaluation(
            Phase.ERROR,
            "could not evaluate the conditions: the service is stopping. Measure again.",
            not_evaluated=True,
        )


async def test_expression_that_exceeds_the_memory_limit_is_stopped_and_the_next_one_succeeds(
    cel_with_long_limits: CelLanguage,
) -> None:
    evaluation, _ = await _timed(cel_with_long_limits, _HUGE)
    assert evaluation.phase is Phase.ERROR
    assert "memory limit of 128 MiB exceeded" in evaluation.message
    assert await _is_healthy(cel_with_long_limits)


@pytest.mark.parametrize(
    "condition",
    ["1" + "+1" * 1000 + " > 1", "!" * 2000 + "true", "[" * 1000 + "]" * 1000 + " == []"],
    ids=["terms", "negations", "lists"],
)
async def test_expression_nested_too_deeply_is_an_error_and_its_worker_survives(
    cel_with_long_limits: CelLanguage, condition: str
) -> None:
    assert await _is_healthy(cel_with_long_limits)
    pid = cel_with_long_limits._fast.pid
    evaluation, _ = await _timed(cel_with_long_limits, condition)
    assert evaluation.phase is Phase.ERROR
    assert "nesting too deep" in evaluation.message
    assert await _is_healthy(cel_with_long_limits)
    assert cel_with_long_limits._fast.pid == pid


async def test_many_parentheses_and_a_long_conjunction_are_evaluated(cel_with_long_limits: CelLanguage) -> None:
    for condition in ("(" * 1000 + "true" + ")" * 1000, "true" + " && true" * 250):
        assert (await _timed(cel_with_long_limits, condition))[0].phase is Phase.SUCCESSFUL


async def test_result_nested_too_deeply_is_an_error(cel_with_long_limits: CelLanguage) -> None:
    evaluation, _ = await _timed(cel_with_long_limits, "true", b"[" * 50_000 + b"]" * 50_000)
    assert evaluation.phase is Phase.ERROR
    assert "nested too deep" in evaluation.message
    assert await _is_healthy(cel_with_long_limits)


async def test_string_literal_that_stalls_the_parser_is_stopped(cel: CelLanguage) -> None:
    await _start(cel)
    evaluation, _ = await _timed(cel, '"' + r"\a" * 1000)  # 2^1000 ways to read it, for cel-python's lexer
    assert evaluation.phase is Phase.ERROR
    assert "time limit of 2 s exceeded" in evaluation.message
    assert await _is_healthy(cel)


async def test_killed_worker_is_replaced_and_the_request_succeeds(cel: CelLanguage) -> None:
    for _ in range(2):
        assert await _is_healthy(cel)
        pid = cel._fast.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await _is_healthy(cel)  # perhaps in the isolated tier
        assert await _is_healthy(cel)
        assert cel._fast.pid not in (None, pid)
    assert not len(cel._tiers.slow_conditions)  # the expression did not cause it


async def test_stuck_worker_is_killed_and_the_request_succeeds(cel: CelLanguage) -> None:
    await _start(cel)
    stuck = cel._fast.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)  # its timer does not run either
    evaluation, _ = await _timed(cel, "result == 1")
    assert evaluation.phase is Phase.SUCCESSFUL  # in the isolated tier
    assert not _alive(stuck)
    assert await _is_healthy(cel)


async def test_close_kills_the_workers_and_fails_queued_requests() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=60, slice_seconds=40, memory_bytes=128 << 20))
    await _start(cel)
    pids = (cel._fast.pid, cel._isolated.pid)
    calls = [asyncio.create_task(_timed(cel, f"{_ENDLESS} && {i} > 0", _LIST)) for i in range(3)]
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await cel.close()
    assert time.monotonic() - began < 30  # not after 40 s, the limit of the fast tier
    for evaluation, _ in await asyncio.gather(*calls):
        assert "the service is stopping. Measure again." in evaluation.message
    assert not any(map(_alive, pids))
    assert "stopping" in (await _timed(cel, "true"))[0].message
    await cel.close()  # a second time does nothing


def test_workers_exit_when_the_service_is_killed() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from skywalking_provider.conditions.cel.evaluator import CelLanguage\n"
        "async def main():\n"
        "    cel = CelLanguage()\n"
        "    await cel.evaluate('true', '', b'1', timeout=60)\n"
        "    print(cel._fast.pid, flush=True)\n"
        f"    task = asyncio.create_task(cel.evaluate({_ENDLESS!r}, '', {_LIST!r}, timeout=60))\n"
        "    await asyncio.sleep(0.02)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=90)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    end = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _alive(pid)


async def test_close_during_the_start_kills_the_worker() -> None:
    cel = CelLanguage()
    request = asyncio.create_task(_timed(cel, "true"))
    while cel._fast.pid is None:  # noqa: ASYNC110 — no event reports it
        await asyncio.sleep(0.001)
    pid = cel._fast.pid
    await cel.close()
    assert "stopping" in (await request)[0].message
    assert not _alive(pid)


async def test_cancelled_request_is_cancelled_and_its_response_is_discarded(cel: CelLanguage) -> None:
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


async def test_caller_whose_timeout_ends_gets_an_error() -> None:
    cel = CelLanguage(Limits(condition_bytes=2048, seconds=60, slice_seconds=40, memory_bytes=128 << 20))
    try:
        await _start(cel)
        began = time.monotonic()
        evaluation = await cel.evaluate(_ENDLESS, "", _LIST, timeout=0.2)
        assert time.monotonic() - began < 20  # not after the evaluation's own limit
        assert evaluation.phase is Phase.ERROR
        assert "not evaluated within the remaining 0.2 s" in evaluation.message
        assert (await cel.evaluate("true", "", b"1", timeout=0)).phase is Phase.ERROR
        assert await _is_healthy(cel)  # the evaluation ended with its caller
        assert time.monotonic() - began < 40
    finally:
        await cel.close()


async def test_fast_expression_on_a_busy_machine_returns_to_the_fast_tier(
    cel_with_long_limits: CelLanguage,
) -> None:
    cel = cel_with_long_limits
    cel._tiers.slow_conditions.add("", ("result == 1",))  # as if it had been stopped
    assert await _is_healthy(cel)
    assert not len(cel._tiers.slow_conditions)


async def test_result_beyond_1_mib_is_rejected(cel_with_long_limits: CelLanguage) -> None:
    evaluation, _ = await _timed(cel_with_long_limits, "true", b'"' + b"x" * CEL_LIMITS.result_bytes + b'"')
    assert "1,048,578 bytes, limit 1,048,576" in evaluation.message
    evaluation, _ = await _timed(
        cel_with_long_limits, "result.size() > 1", b'"' + b"x" * (CEL_LIMITS.result_bytes - 2) + b'"'
    )
    assert evaluation.phase is Phase.SUCCESSFUL


async def test_worker_that_does_not_start_is_an_error_with_its_reason_in_the_log(
    cel: CelLanguage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cel._fast, "_module", "skywalking_provider.no_such_module")
    evaluation, _ = await _timed(cel, "true")
    assert evaluation.phase is Phase.ERROR
    assert "the condition evaluator does not start. Read the reason in the service's log." in evaluation.message
    assert "the process ended before it was ready" in capsys.readouterr().out
    monkeypatch.undo()
    assert await _is_healthy(cel)


async def test_worker_has_no_environment_variables_with_credentials(
    cel: CelLanguage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAP_PASSWORD", "secret")
    assert await _is_healthy(cel)
    with open(f"/proc/{cel._fast.pid}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123 — procfs
        assert b"OAP_PASSWORD" not in environment.read()
