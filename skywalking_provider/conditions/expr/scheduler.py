"""Who evaluates when, so that no condition keeps the others waiting.

Two lanes, a thread and a guest each. A condition begins in the *quick* lane, in a guest that stays warm. One that
is not done within its slice (0.1 s; an honest one takes a millisecond or so) or runs out of memory is stopped there and
done again in the *patient* lane, in a guest made for it alone, with the whole of its limits: a verdict about a
condition never depends on what ran before it. A condition that was stopped is remembered and goes to the patient lane
at once. So a hostile condition costs the others one slice, once, however often it is measured.

A condition that proved *light* in the quick lane is evaluated where it is asked from then on, in the event loop's own
thread: the hop to a thread costs more than it does, and on a busy core, where the thread waits for Python's lock again
and again, many times more. What it takes may hang on the values, so it is bounded there by one tick of the sandbox's
clock; stopped, it is light no more.
"""

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from skywalking_provider.conditions.expr.fast_path import FastPathCache
from skywalking_provider.conditions.expr.instance import TICK_SECONDS, Sandbox
from skywalking_provider.conditions.expr.pool import InstancePool, WasmCall
from skywalking_provider.conditions.limits import Limits, StoppedError, StopReason
from skywalking_provider.model import Deadline

_MAX_SLOW = 256


class WorkerThread:
    """One thread and the seat in it, which nobody else touches. `light` learns what its answers take."""

    def __init__(self, name: str, pool: InstancePool, fast_path: FastPathCache | None = None) -> None:
        self._pool = pool
        self._fast_path = fast_path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"conditions-{name}")

    async def execute(self, call: WasmCall, deadline: Deadline) -> list[bytes]:
        """Wait for the turn and the answer.

        A caller that leaves takes its question with it while it waits; one that runs is over by the lane's limit.

        Raises:
            StoppedError: A limit of the evaluation, the deadline, or the end of the service.
        """
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._execute_timed, call, deadline)
        except RuntimeError:  # the executor's word for closed
            raise StoppedError(StopReason.CLOSED) from None
        try:
            async with asyncio.timeout(deadline.remaining):
                answer, seconds = await running
        except TimeoutError:
            raise StoppedError(StopReason.QUEUE_TIMEOUT) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoppedError(StopReason.CLOSED) from None  # close() took the question out of the queue
        if self._fast_path is not None:
            self._fast_path.record_duration(call, seconds)
        return answer

    def stop(self) -> None:
        """Take no more questions, and drop those that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the thread's end, and take its guest."""
        self._thread.shutdown(wait=True)
        self._pool.close()

    def _execute_timed(self, call: WasmCall, deadline: Deadline) -> tuple[list[bytes], float]:
        began = time.thread_time()  # of this thread alone: a busy machine makes no question heavy
        return self._pool.execute(call, deadline), time.thread_time() - began


class TwoTierScheduler:
    """Both lanes, and the memory of what was stopped. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._sandbox = Sandbox(limits.memory_bytes)
        self._limits = limits
        guest = self._sandbox.new_instance
        self._fast_path = FastPathCache()
        self._inline_pool = InstancePool(guest, seconds=TICK_SECONDS, reuse=True)
        self._fast = WorkerThread(
            "quick", InstancePool(guest, seconds=limits.slice_seconds, reuse=True), self._fast_path
        )
        self._isolated = WorkerThread("patient", InstancePool(guest, seconds=limits.seconds, reuse=False))
        self._slow: OrderedDict[tuple[bytes, ...], None] = OrderedDict()
        self._closed = False

    async def execute(self, call: WasmCall, deadline: Deadline) -> list[bytes]:
        """Answer a question in the lane it belongs to.

        Raises:
            StoppedError: See `Lane.ask`.
        """
        try:
            if call in self._fast_path and not self._closed:
                try:
                    return self._inline_pool.execute(call, deadline)
                except StoppedError as stopped:
                    if stopped.reason.not_evaluated:
                        raise
                    self._fast_path.remove(call)
            if call.key not in self._slow:
                try:
                    return await self._fast.execute(call, deadline)
                except StoppedError as stopped:
                    if stopped.reason.not_evaluated:
                        raise
                    self._mark_slow(call)
            begun = Deadline.after(self._limits.slice_seconds)
            answer = await self._isolated.execute(call, deadline)
        except StoppedError:
            if self._closed:  # whatever ended it, this is why
                raise StoppedError(StopReason.CLOSED) from None
            raise
        if begun.remaining:  # only the machine was slow
            self._slow.pop(call.key, None)
        return answer

    async def close(self) -> None:
        """Stop what runs, answer what waits, end the threads."""
        if self._closed:
            return
        self._closed = True
        for lane in (self._fast, self._isolated):
            lane.stop()
        self._sandbox.interrupt(self._limits.seconds)  # what runs ends with Cause.TIME, at once
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for lane in (self._fast, self._isolated):
            lane.join()
        self._inline_pool.close()
        self._sandbox.close()

    def _mark_slow(self, call: WasmCall) -> None:
        self._slow[call.key] = None
        if len(self._slow) > _MAX_SLOW:
            self._slow.popitem(last=False)
