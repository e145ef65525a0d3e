"""Tests of the plugin that fails tests with slow callbacks."""

import asyncio
import importlib
import time
from asyncio.events import Handle
from pathlib import Path

import pytest

from tests.slow_callbacks import LIMIT_SECONDS, TEST_LIMIT_SECONDS, CallbackTimer, is_step_of_test

pytest_plugins = ("pytester",)


def use_cpu(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def run_measured(coroutine_function: object, *, as_test: bool = False) -> CallbackTimer:
    timer = CallbackTimer(is_step_of_test if as_test else lambda _: False)
    before = Handle._run
    Handle._run = timer.wrap(before)
    try:
        asyncio.run(coroutine_function())
    finally:
        Handle._run = before
    return timer


@pytest.mark.allow_slow_callbacks("the plugin is tested")
def test_slow_step_is_reported_with_its_coroutine() -> None:
    async def slow_step() -> None:
        use_cpu(LIMIT_SECONDS + 0.05)
        await asyncio.sleep(0)

    [slow] = run_measured(slow_step).slow

    assert slow.seconds >= LIMIT_SECONDS
    assert "slow_step" in str(slow)
    assert "test_slow_callbacks.py" in str(slow)


@pytest.mark.allow_slow_callbacks("the plugin is tested")
def test_slow_plain_callback_is_reported() -> None:
    async def schedule() -> None:
        asyncio.get_running_loop().call_soon(use_cpu, LIMIT_SECONDS + 0.05)
        await asyncio.sleep(0.01)

    [slow] = run_measured(schedule).slow

    assert "use_cpu" in str(slow)


@pytest.mark.allow_slow_callbacks("the plugin is tested")
def test_steps_of_tests_have_a_limit_of_their_own() -> None:
    async def prepare(seconds: float) -> None:
        use_cpu(seconds)

    async def work() -> None:
        asyncio.get_running_loop().call_soon(use_cpu, LIMIT_SECONDS + 0.05)
        await prepare(LIMIT_SECONDS + 0.05)
        await asyncio.sleep(0)
        await prepare(TEST_LIMIT_SECONDS + 0.05)

    callback, step = run_measured(work, as_test=True).slow

    assert "use_cpu" in str(callback)
    assert "work" in str(step)
    assert step.seconds > TEST_LIMIT_SECONDS


def test_waiting_short_steps_and_threads_are_not_slow() -> None:
    async def wait() -> None:
        await asyncio.to_thread(use_cpu, 2 * LIMIT_SECONDS)
        for _ in range(4):
            use_cpu(LIMIT_SECONDS / 3)
            await asyncio.sleep(0.05)
        time.sleep(2 * LIMIT_SECONDS)  # noqa: ASYNC251 - wall-clock time, as on a busy machine

    assert not run_measured(wait).slow


def test_garbage_collection_and_imports_are_not_counted() -> None:
    timer = CallbackTimer(is_step_of_test)
    import_slowly = timer.excluded.wrap(lambda: use_cpu(2 * LIMIT_SECONDS))

    def collect_and_import(_: object) -> None:
        timer.excluded.exclude_garbage_collection("start", {})
        use_cpu(2 * LIMIT_SECONDS)
        import_slowly()
        timer.excluded.exclude_garbage_collection("stop", {})
        import_slowly()

    timer.wrap(collect_and_import)(object())

    assert not timer.slow


def test_import_in_a_callback_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nend = time.thread_time() + 0.4\nwhile time.thread_time() < end: pass"
    )

    async def import_slowly() -> None:
        import slow_to_import  # type: ignore[import-not-found] # noqa: F401, PLC0415

        importlib.import_module("slow_to_import")

    asyncio.run(import_slowly())  # the plugin fails this test otherwise


def test_test_with_slow_callback_fails_unless_it_is_marked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import time
        import pytest

        async def use_cpu():
            end = time.thread_time() + 0.35
            while time.thread_time() < end:
                pass

        async def test_slow():
            await use_cpu()

        @pytest.mark.allow_slow_callbacks("for a reason")
        async def test_allowed():
            await use_cpu()

        async def test_quick():
            pass
        """
    )

    result = pytester.runpytest_subprocess("-p", "tests.slow_callbacks", "-o", "asyncio_mode=auto", "-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ms of CPU time in one callback of the event loop*test_slow*"])
