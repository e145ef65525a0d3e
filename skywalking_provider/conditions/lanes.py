"""Who evaluates when, so that no condition keeps the others waiting.

Two lanes, a thread and a guest each. Every evaluation begins in the *quick* lane, in a guest that stays warm. One that
is not done within its slice (0.1 s; an honest one takes a millisecond or so) or runs out of memory is stopped there and
done again in the *patient* lane, in a guest made for it alone, with the whole of its limits: a verdict about a
condition never depends on what ran before it. A condition that was stopped is remembered and goes to the patient lane
at once. So a hostile condition costs the others one slice, once, however often it is measured.

Nothing is evaluated in the event loop's own thread: what a condition takes cannot be told before it ran, and the hop to
a thread and back costs 0.15 ms, as much as an evaluation and far less than the read before it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from skywalking_provider.conditions.guest import Guest, Sandbox
from skywalking_provider.conditions.limits import Cause, Limits, StoppedError
from skywalking_provider.model import Deadline

# A guest whose memory has grown beyond this is not kept: memory never shrinks. Honest ones stay near 14 MiB.
_KEEP_BELOW_BYTES = 32 << 20
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a guest. Questions with the same `key` are equally hard, near enough."""

    export: str
    fields: Sequence[bytes]
    key: tuple[bytes, ...]


class Lane:
    """One thread and its guest. `keep` is False where every question gets a guest of its own."""

    def __init__(self, name: str, new_guest: Callable[[], Guest], *, seconds: float, keep: bool) -> None:
        self._new_guest = new_guest
        self._seconds = seconds
        self._keep = keep
        # The thread's own; nobody else touches it.
        self._guest: Guest | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"conditions-{name}")

    async def ask(self, question: Question, deadline: Deadline) -> list[bytes]:
        """Wait for the turn and the answer.

        A caller that leaves takes its question with it while it waits; one that runs is over by the lane's limit.

        Raises:
            StoppedError: A limit of the evaluation, the deadline, or the end of the service.
        """
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question, deadline)
        except RuntimeError:  # the executor's word for closed
            raise StoppedError(Cause.CLOSED) from None
        try:
            async with asyncio.timeout(deadline.remaining):
                return await running
        except TimeoutError:
            raise StoppedError(Cause.WAITED) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoppedError(Cause.CLOSED) from None  # close() took the question out of the queue

    def stop(self) -> None:
        """Take no more questions, and drop those that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the thread's end, and take its guest."""
        self._thread.shutdown(wait=True)
        if self._guest:
            self._guest.close()
            self._guest = None

    def _answer(self, question: Question, deadline: Deadline) -> list[bytes]:
        seconds = min(self._seconds, deadline.remaining)
        if seconds <= 0:
            raise StoppedError(Cause.WAITED)
        guest, self._guest = self._guest or self._new_guest(), None
        try:
            answer = guest.ask(question.export, question.fields, seconds)
            if self._keep and guest.memory_bytes < _KEEP_BELOW_BYTES:
                self._guest = guest
            return answer
        finally:
            if self._guest is None:
                guest.close()


class Lanes:
    """Both lanes, and the memory of what was stopped. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._sandbox = Sandbox(limits.memory_bytes)
        self._limits = limits
        self._quick = Lane("quick", self._sandbox.guest, seconds=limits.slice_seconds, keep=True)
        self._patient = Lane("patient", self._sandbox.guest, seconds=limits.seconds, keep=False)
        self._slow: OrderedDict[tuple[bytes, ...], None] = OrderedDict()
        self._closed = False

    async def ask(self, question: Question, deadline: Deadline) -> list[bytes]:
        """Answer a question in the lane it belongs to.

        Raises:
            StoppedError: See `Lane.ask`.
        """
        try:
            if question.key not in self._slow:
                try:
                    return await self._quick.ask(question, deadline)
                except StoppedError as stopped:
                    if stopped.cause in (Cause.WAITED, Cause.CLOSED, Cause.BROKEN):
                        raise
                    self._remember(question)
            begun = Deadline.after(self._limits.slice_seconds)
            answer = await self._patient.ask(question, deadline)
        except StoppedError:
            if self._closed:  # whatever ended it, this is why
                raise StoppedError(Cause.CLOSED) from None
            raise
        if begun.remaining:  # only the machine was slow
            self._slow.pop(question.key, None)
        return answer

    async def close(self) -> None:
        """Stop what runs, answer what waits, end the threads."""
        if self._closed:
            return
        self._closed = True
        for lane in (self._quick, self._patient):
            lane.stop()
        self._sandbox.interrupt(self._limits.seconds)  # what runs ends with Cause.TIME, at once
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for lane in (self._quick, self._patient):
            lane.join()
        self._sandbox.close()

    def _remember(self, question: Question) -> None:
        self._slow[question.key] = None
        if len(self._slow) > _REMEMBERED:
            self._slow.popitem(last=False)
