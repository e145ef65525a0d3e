"""Plugin that fails a test in which one callback of an event loop used too much CPU time.

While a callback runs, the service responds to no other request. The limit is 100 ms. A callback is one step of a
coroutine, from one await to the next. The CPU time is that of its thread, so that a busy machine does not fail a test.
Garbage collection and the import of modules are not counted: they belong to the test that happens to run first. Neither
are the templates of the history page, which the service compiles before it listens, and the mock OAP, which is another
process in operation.

The bodies of asynchronous tests and fixtures are callbacks, too. They also start processes and build inputs, which a
busy machine makes slower, so their limit is 300 ms. Build large inputs in synchronous fixtures. Where that is not
possible, mark the test with `@pytest.mark.allow_slow_callbacks("reason")`.

asyncio's event loops are measured, with those of virtual time. The handles of uvloop are compiled and cannot be
replaced.
"""

import asyncio
import functools
import gc
import threading
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import _bootstrap  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, Final

import jinja2
import pytest

from skywalking_provider.mock_oap.graphql_executor import Executor

LIMIT_SECONDS: Final = 0.1
TEST_LIMIT_SECONDS: Final = 0.3
MARKER: Final = "allow_slow_callbacks"
_TEST_FILES: Final = frozenset({"tests", "pytest_asyncio"})
"""Folders of tests, and of the plugin that runs asynchronous fixtures."""


@dataclass(frozen=True, slots=True)
class SlowCallback:
    """A callback that used more CPU time than the limit."""

    seconds: float
    description: str

    def __str__(self) -> str:
        return f"{1000 * self.seconds:.0f} ms of CPU time in one callback of the event loop: {self.description}"


class ExcludedTime(threading.local):
    """CPU time of the current thread that is not counted.

    Attributes:
        seconds: Sum of all times between `begin` and `end`; the inner ones of nested pairs are part of the outermost.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0
        self._depth = 0

    def begin(self) -> None:
        """Exclude the time from now on."""
        if not self._depth:
            self._began = time.thread_time()
        self._depth += 1

    def end(self) -> None:
        """Count the time again."""
        self._depth -= 1
        if not self._depth:
            self.seconds += time.thread_time() - self._began

    def exclude_garbage_collection(self, phase: str, _: dict[str, int]) -> None:
        """Exclude a garbage collection; a callback for `gc.callbacks`."""
        if phase == "start":
            self.begin()
        elif self._depth:  # the first phase after the registration may be "stop"
            self.end()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with its time excluded."""

        @functools.wraps(function)
        def excluded(*args: Any, **kwargs: Any) -> Any:
            self.begin()
            try:
                return function(*args, **kwargs)
            finally:
                self.end()

        return excluded


class CallbackTimer:
    """Measures the CPU time of each callback of asyncio's event loops.

    Args:
        is_test: Returns whether a callback is part of a test or fixture, which has a limit of its own.

    Attributes:
        excluded: Time that is not counted.
        slow: Callbacks above their limit, since the list was last cleared.
    """

    def __init__(self, is_test: Callable[[object], bool]) -> None:
        self.excluded = ExcludedTime()
        self.slow: list[SlowCallback] = []
        self._is_test = is_test

    def wrap(self, run: Callable[[Handle], Any]) -> Callable[[Handle], Any]:
        """Return `Handle._run` with a measurement."""

        @functools.wraps(run)
        def measured(handle: Handle) -> Any:
            callback, excluded, began = getattr(handle, "_callback", None), self.excluded.seconds, time.thread_time()
            try:
                return run(handle)
            finally:
                seconds = time.thread_time() - began - (self.excluded.seconds - excluded)
                if seconds > (TEST_LIMIT_SECONDS if self._is_test(callback) else LIMIT_SECONDS):
                    self.slow.append(SlowCallback(seconds, describe_callback(callback, handle)))
                del callback, handle  # as in `Handle._run`: the traceback of an error refers to this frame

        return measured


def is_step_of_test(callback: object) -> bool:
    """Return whether a callback is a step of an asynchronous test or fixture."""
    task = getattr(callback, "__self__", None)
    code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
    return code is not None and bool(_TEST_FILES.intersection(Path(code.co_filename).parts))


def describe_callback(callback: object, handle: Handle) -> str:
    """Return the name of a callback. For a step of a task, also the place at which its coroutine now waits."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return repr(callback or handle)
    frames = [f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})" for frame in task.get_stack()]
    return f"step of {task.get_coro()!r}, now {'at ' + ' < '.join(reversed(frames)) if frames else 'finished'}"


_TIMER: Final = CallbackTimer(is_step_of_test)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}(reason): callbacks of the event loop may use more CPU time than the limit"
    )
    run, find_and_load = Handle._run, _bootstrap._find_and_load  # type: ignore[attr-defined]
    Handle._run = _TIMER.wrap(run)  # type: ignore[attr-defined]
    _bootstrap._find_and_load = _TIMER.excluded.wrap(find_and_load)  # type: ignore[attr-defined]
    execute, compile_template = Executor.execute, jinja2.Environment.compile
    Executor.execute = _TIMER.excluded.wrap(execute)  # type: ignore[method-assign]
    jinja2.Environment.compile = _TIMER.excluded.wrap(compile_template)  # type: ignore[method-assign]
    gc.callbacks.append(_TIMER.excluded.exclude_garbage_collection)

    def restore() -> None:
        Handle._run = run  # type: ignore[attr-defined]
        _bootstrap._find_and_load = find_and_load  # type: ignore[attr-defined]
        Executor.execute = execute  # type: ignore[method-assign]
        jinja2.Environment.compile = compile_template  # type: ignore[method-assign]
        gc.callbacks.remove(_TIMER.excluded.exclude_garbage_collection)

    config.add_cleanup(restore)


@pytest.fixture(autouse=True)
def _fail_slow_callbacks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test with a slow callback, unless its marker allows it."""
    _TIMER.slow.clear()
    yield
    slow = [str(one) for one in _TIMER.slow]
    _TIMER.slow.clear()
    if slow and request.node.get_closest_marker(MARKER) is None:
        pytest.fail("\n".join(slow), pytrace=False)
