"""Two-tier scheduler for condition evaluation, with a fast path in the event loop.

- The **fast tier** is a thread with a warm instance. Every condition starts there, with a short time limit
  (`Limits.slice_seconds`).
- The **isolated tier** is a thread that starts an instance for each evaluation, with the full limits. A condition that
  exceeds a limit in the fast tier is evaluated again here, so its outcome never depends on earlier evaluations
  (see `tiers`).
- The **fast path** evaluates a condition in the event loop's thread once it took less than 2 ms in the fast tier. The
  hop to a thread costs more than such an evaluation (docs/adr/0013). The cost may depend on the values, so the time
  limit is one tick of the sandbox's clock. A condition that exceeds it returns to the fast tier.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b

from cachetools import LRUCache

from skywalking_provider.conditions.expr.instance import TICK_SECONDS, InstancePool, Sandbox, WasmCall
from skywalking_provider.conditions.limits import Limits, StoppedError, StopReason
from skywalking_provider.conditions.tiers import TIER_LIMITS, Tiers
from skywalking_provider.model import Deadline

_FAST_PATH_SECONDS = 0.002
_MAX_FAST_PATH_ENTRIES = 4096
# How deep a result may be nested depends on what an instance evaluated before, too: a new one has more stack left.
_TIER_LIMITS = TIER_LIMITS | {StopReason.DEPTH}


class FastPathCache:
    """Conditions that are cheap enough for the event loop, each with the largest result that may be tried there."""

    def __init__(self) -> None:
        # By digests: the texts of 4,096 calls may have 32 MiB.
        self._sizes: LRUCache[bytes, int] = LRUCache(maxsize=_MAX_FAST_PATH_ENTRIES)

    def __contains__(self, call: WasmCall) -> bool:
        return call.size <= self._sizes.get(_digest(call.key), -1)

    def record_duration(self, call: WasmCall, cpu_seconds: float) -> None:
        """Add a call that was cheap; results of up to twice its size may then be tried."""
        if cpu_seconds <= _FAST_PATH_SECONDS:
            key = _digest(call.key)
            self._sizes[key] = max(2 * call.size, self._sizes.get(key, 0))

    def remove(self, call: WasmCall) -> None:
        """Remove a call that exceeded its limit."""
        self._sizes.pop(_digest(call.key), None)


def _digest(key: tuple[bytes, ...]) -> bytes:
    digest = blake2b(digest_size=16)
    for text in key:
        digest.update(b"%d:" % len(text))
        digest.update(text)
    return digest.digest()


class WorkerThread:
    """A thread that executes calls in a pool of its own, one after another.

    Args:
        name: Suffix of the thread's name.
        pool: Used by this thread only.
        thread_time: Clock of a thread's CPU time, which a busy machine does not distort.
    """

    def __init__(
        self,
        name: str,
        pool: InstancePool,
        thread_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self._pool = pool
        self._thread_time = thread_time
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"conditions-{name}")

    async def execute(self, call: WasmCall, deadline: Deadline) -> tuple[list[bytes], float]:
        """Execute a call; return its response and its CPU time in seconds.

        Raises:
            StoppedError: A limit of the evaluation was exceeded, the deadline passed, or the service stops.
        """
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._execute_timed, call, deadline)
        except RuntimeError:  # the executor is shut down
            raise StoppedError(StopReason.CLOSED) from None
        try:
            return await running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoppedError(StopReason.CLOSED) from None  # stop() removed the call before the thread took it
        finally:
            del running  # it refers to its error, whose traceback refers to this frame and the call

    def stop(self) -> None:
        """Accept no more calls, and cancel one that has not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait until the thread ends, and close its pool."""
        self._executor.shutdown(wait=True)
        self._pool.close()

    def _execute_timed(self, call: WasmCall, deadline: Deadline) -> tuple[list[bytes], float]:
        began = self._thread_time()
        return self._pool.execute(call, deadline), self._thread_time() - began


class TwoTierScheduler:
    """Executes calls in the fast path, the fast tier or the isolated tier. Belongs to one event loop.

    Args:
        limits: Limits of one evaluation.
        thread_time: Clock of a thread's CPU time in seconds.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        thread_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self._limits = limits
        self._sandbox = Sandbox(limits.memory_bytes)
        new_instance = self._sandbox.new_instance
        self._fast_path = FastPathCache()
        self._inline_pool = InstancePool(new_instance, seconds=TICK_SECONDS, reuse=True)
        fast_pool = InstancePool(new_instance, seconds=limits.slice_seconds, reuse=True)
        isolated_pool = InstancePool(new_instance, seconds=limits.seconds, reuse=False)
        self._fast = WorkerThread("fast", fast_pool, thread_time)
        self._isolated = WorkerThread("isolated", isolated_pool, thread_time)
        self._tiers = Tiers(limits.slice_seconds, _TIER_LIMITS)
        self._closed = False

    @property
    def healthy(self) -> bool:
        """Whether an instance could be started the last time."""
        return not self._sandbox.start_problem

    async def recover(self) -> None:
        """Try to start an instance, if that failed the last time."""
        if not self.healthy:
            with suppress(StoppedError):
                instance = await asyncio.to_thread(self._sandbox.new_instance)
                instance.close()

    async def execute(self, call: WasmCall, namespace: str, deadline: Deadline) -> list[bytes]:
        """Execute a call and return the fields of its response.

        Args:
            call: The call.
            namespace: Namespace of the measurement.
            deadline: Deadline of the caller.

        Raises:
            StoppedError: A limit of the evaluation was exceeded, the deadline passed, or the service stops.
        """
        try:
            if call in self._fast_path and not self._closed:
                try:
                    return self._inline_pool.execute(call, deadline)
                except StoppedError as error:
                    if error.reason.not_evaluated:
                        raise
                    self._fast_path.remove(call)
            return await self._tiers.run(
                call.key,
                namespace,
                deadline,
                size=call.size,
                fast=lambda: self._execute_fast(call, deadline),
                isolated=lambda: self._isolated.execute(call, deadline),
            )
        except StoppedError:
            if self._closed:  # close() interrupts evaluations, which then report another reason
                raise StoppedError(StopReason.CLOSED) from None
            raise

    async def close(self) -> None:
        """Interrupt running calls, cancel queued ones and end the threads."""
        if self._closed:
            return
        self._closed = True
        self._tiers.close()
        for thread in (self._fast, self._isolated):
            thread.stop()
        self._sandbox.interrupt(self._limits.seconds)
        await asyncio.to_thread(self._join)

    async def _execute_fast(self, call: WasmCall, deadline: Deadline) -> list[bytes]:
        response, cpu_seconds = await self._fast.execute(call, deadline)
        self._fast_path.record_duration(call, cpu_seconds)
        return response

    def _join(self) -> None:
        for thread in (self._fast, self._isolated):
            thread.join()
        self._inline_pool.close()
        self._sandbox.close()
