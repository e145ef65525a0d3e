"""Workers that are killed, stopped, starved or out of memory at any moment, and the tests of readiness that follow."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from skywalking_provider.conditions import Evaluation
from skywalking_provider.conditions.cel import worker_process
from skywalking_provider.conditions.cel.evaluator import CEL_LIMITS, CelLanguage
from skywalking_provider.conditions.cel.worker_process import CelProcess, WorkerFaultError
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline, Phase

_LIST = b"[" + b",".join(b"%d" % i for i in range(1000)) + b"]"
_ENDLESS = "result.all(a, result.all(b, result.all(c, c >= 0)))"
# Half a second of CPU time: it is running while it is killed.
_LONG = "[1,2,3,4,5,6,7,8,9,10].all(a, " * 4 + "a > 0" + ")" * 4
_WELL = Evaluation(Phase.SUCCESSFUL)


@pytest.fixture
async def cel() -> AsyncIterator[CelLanguage]:
    """A language whose time limits a busy machine meets, and whose starts are repeated early."""
    conditions = CelLanguage(replace(CEL_LIMITS, seconds=20, slice_seconds=10))
    yield conditions
    await conditions.close()


async def _evaluate(cel: CelLanguage, success: str = "result == 1", result: bytes = b"1") -> Evaluation:
    return await cel.evaluate(success, "", result, timeout=60, namespace="team-a")


async def _start(cel: CelLanguage) -> tuple[int, int]:
    """Start both processes, and return their IDs."""
    assert await _evaluate(cel) == _WELL
    cel._tiers.slow_conditions.add("team-a", ("result == 2",))
    assert await _evaluate(cel, "result == 2", b"2") == _WELL
    assert cel._fast.pid is not None
    assert cel._isolated.pid is not None
    return cel._fast.pid, cel._isolated.pid


async def _wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 — no event reports it
            await asyncio.sleep(0.002)


def _is_exited(pid: int) -> bool:
    """Return whether a process has ended; it may still be a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _let_the_loop_see_it(pid: int) -> None:
    await _wait_until(lambda: _is_exited(pid))
    await asyncio.sleep(0.2)


async def test_workers_killed_while_idle_are_replaced_before_they_are_used(cel: CelLanguage) -> None:
    for _ in range(2):
        pids = await _start(cel)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            await _let_the_loop_see_it(pid)
        assert await asyncio.gather(*(_evaluate(cel) for _ in range(5))) == [_WELL] * 5
        assert not len(cel._tiers.slow_conditions)


async def test_workers_killed_in_the_moment_of_the_request_are_replaced(cel: CelLanguage) -> None:
    for _ in range(2):
        for pid in await _start(cel):
            os.kill(pid, signal.SIGKILL)
        assert await _evaluate(cel) == _WELL


@pytest.mark.parametrize("both", [False, True], ids=["fast", "fast and then isolated"])
async def test_worker_killed_while_it_evaluates_costs_a_retry(cel: CelLanguage, *, both: bool) -> None:
    fast, isolated = await _start(cel)
    before = _cpu_seconds(isolated)
    evaluation = asyncio.create_task(_evaluate(cel, _LONG))
    await _wait_until(lambda: cel._tiers._fast_slot._taken)
    await asyncio.sleep(0.05)
    os.kill(fast, signal.SIGKILL)
    if both:
        await _wait_until(lambda: _cpu_seconds(isolated) > before + 0.02)
        os.kill(isolated, signal.SIGKILL)
    assert await evaluation == _WELL
    assert await _evaluate(cel) == _WELL


async def test_worker_killed_while_it_starts_is_started_again(cel: CelLanguage) -> None:
    evaluation = asyncio.create_task(_evaluate(cel))
    await _wait_until(lambda: cel._fast.pid)
    assert cel._fast.pid is not None
    os.kill(cel._fast.pid, signal.SIGKILL)
    assert await evaluation == _WELL
    assert cel.healthy


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_worker_stopped_while_it_starts_is_replaced(cel: CelLanguage) -> None:
    cel._fast._start_seconds = 1.0  # doubled after each start that takes longer
    evaluation = asyncio.create_task(_evaluate(cel))
    await _wait_until(lambda: cel._fast.pid)
    stopped = cel._fast.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    while (outcome := await evaluation).not_evaluated:  # a busy machine needs more starts
        evaluation = asyncio.create_task(_evaluate(cel))
    assert outcome == _WELL
    assert _is_exited(stopped)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_workers_stopped_while_idle_are_replaced() -> None:
    cel = CelLanguage(replace(CEL_LIMITS, seconds=2, slice_seconds=0.5))
    try:
        pids = await _start(cel)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert await _evaluate(cel) == _WELL
        assert all(map(_is_exited, pids))
    finally:
        await cel.close()


async def test_worker_without_memory_for_anything_costs_a_retry(cel: CelLanguage) -> None:
    for pid in await _start(cel):
        resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    # 512 KiB of text: more memory than the worker has left.
    assert await _evaluate(cel, "size(result) > 1", b'"' + b"x" * (512 << 10) + b'"') == _WELL
    assert await _evaluate(cel) == _WELL


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_condition_that_always_takes_all_memory_is_reported_as_such(cel: CelLanguage) -> None:
    huge = "['xxxxxxxxxxxxxxxx']" + ".map(a, a + a)" * 40 + " == []"
    outcomes = await asyncio.gather(*(_evaluate(cel, f"{i} == -1 || {huge}") for i in range(2)))
    assert all("memory limit of 128 MiB exceeded" in outcome.message for outcome in outcomes)
    assert await _evaluate(cel) == _WELL


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_starved_worker_gets_another_attempt() -> None:
    process = CelProcess(128 << 20)
    try:
        await process.request({"success": "true"}, b"1", seconds=60, deadline=Deadline.after(60))
        assert process.pid is not None
        response = '{"values": {}, "problems": [], "stop_reason": "time", "cpu_seconds": %s}\n'
        for cpu_seconds, kind in ((0.01, WorkerFaultError), (1.0, StoppedError)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(worker_process, "_send_and_receive", _respond(response % cpu_seconds))
                with pytest.raises(StoppedError) as caught:
                    await process.request({"success": "true"}, b"1", seconds=1, deadline=Deadline.after(60))
            assert type(caught.value) is kind
            assert caught.value.reason is StopReason.TIME
    finally:
        await process.close()


def _respond(line: str) -> Callable[..., Awaitable[bytes]]:
    async def respond(*_: object) -> bytes:
        return line.encode()

    return respond


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("unable to perform operation on <WriteUnixTransport closed=True>; the handler is closed"),
        BrokenPipeError(),
        ConnectionResetError(),
        asyncio.LimitOverrunError("too long", 0),
        asyncio.IncompleteReadError(b"", None),
        ValueError("line too long"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        MemoryError(),
        RecursionError(),
        AttributeError("a bug of the event loop"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_worker_is_replaced_whatever_an_exchange_raises(
    cel: CelLanguage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pids = await _start(cel)
    real, failing = worker_process._send_and_receive, 2

    async def fail_twice(process: asyncio.subprocess.Process, payload: bytes) -> bytes:
        nonlocal failing
        if payload and failing:
            failing -= 1
            raise error
        return await real(process, payload)

    monkeypatch.setattr(worker_process, "_send_and_receive", fail_twice)
    assert await _evaluate(cel) == _WELL
    assert not failing
    assert await _evaluate(cel) == _WELL
    assert not {cel._fast.pid, cel._isolated.pid} & set(pids)
    assert all(map(_is_exited, pids))


_GARBAGE = """
import sys
sys.stdout.buffer.write(b'{"start_error": ""}\\n')
sys.stdout.buffer.flush()
sys.stdin.buffer.readline()
%s
sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize(
    "writes",
    [
        r"sys.stdout.buffer.write(b'\xff\xfe\n')",
        r"sys.stdout.buffer.write(b'x' * 200_000 + b'\n')",
        r"sys.stdout.buffer.write(b'{\"values\": 1')",
        r"sys.stdout.buffer.write(b'[' * 100_000 + b'\n')",
        "import os; os.close(1); import time; time.sleep(60)",
    ],
    ids=["not UTF-8", "too long", "half a line", "nested too deeply", "closed pipe"],
)
async def test_worker_that_writes_garbage_is_a_fault_and_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: str
) -> None:
    (tmp_path / "garbage_worker.py").write_text(_GARBAGE % writes)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = CelProcess(128 << 20, "garbage_worker", start_seconds=60)
    try:
        for _ in range(2):
            with pytest.raises(WorkerFaultError):
                await process.request({"success": "true"}, b"1", seconds=2, deadline=Deadline.after(60))
        monkeypatch.setattr(process, "_module", "skywalking_provider.conditions.cel.worker_main")
        with suppress(WorkerFaultError):  # the replacement may have been started before
            await process.request({"success": "true"}, b"1", seconds=30, deadline=Deadline.after(60))
        response = await process.request({"success": "true"}, b"1", seconds=30, deadline=Deadline.after(60))
        assert response.values == {"success": True}
    finally:
        await process.close()


async def test_language_is_unhealthy_while_its_workers_cannot_start_and_recovers(
    cel: CelLanguage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cel.healthy  # not used yet
    await cel.recover()
    assert cel._fast.pid is None  # nothing to recover
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    outcome = await _evaluate(cel)
    assert outcome.not_evaluated
    assert not cel.healthy
    await cel.recover()
    assert not cel.healthy
    monkeypatch.undo()
    await cel.recover()
    assert cel.healthy
    assert await _evaluate(cel) == _WELL


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_conditions_cannot_make_the_language_unhealthy(cel: CelLanguage) -> None:
    cel._limits = replace(CEL_LIMITS, seconds=0.3, slice_seconds=0.1)
    huge = "['xxxxxxxxxxxxxxxx']" + ".map(a, a + a)" * 40 + " == []"
    stalled = '"' + r"\a" * 1000
    for condition in (huge, _ENDLESS, stalled, "1" + "+1" * 1000 + " > 1", "nonsense((", "\x00", "\udcff"):
        outcome = await _evaluate(cel, condition, _LIST)
        assert outcome.phase is Phase.ERROR
        assert cel.healthy
