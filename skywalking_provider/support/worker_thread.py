"""Worker thread: one thread for the computations that would hold the event loop for more than a few milliseconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

INLINE_SIZE: Final = 16 * 1024
"""Bytes or characters of a response that is processed on the event loop: 0.3 ms, and at most 5 ms if it is hostile.
A change of threads takes 0.1 ms."""


class WorkerThread:
    """One thread, started by the first large input.

    It is one thread and not several: each of them would hold Python's global lock in turn, and the event loop would
    wait for all of them.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of a function.

        Args:
            size: Size of its input. A small one is processed at once, without a change of threads.
            function: The function; it must not use objects that the event loop changes meanwhile.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
        """
        if size <= INLINE_SIZE:
            return function(*args, **kwargs)
        # Not a variable: the future refers to an error, whose traceback refers to this frame and the input.
        return await asyncio.wrap_future(self._executor.submit(function, *args, **kwargs))

    def close(self) -> None:
        """End the thread after the function that it runs; drop those that wait."""
        self._executor.shutdown(wait=False, cancel_futures=True)
