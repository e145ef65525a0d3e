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

from skywalking_provider.conditions.guest import TICK_SECONDS, Sandbox
from skywalking_provider.conditions.light import Light
from skywalking_provider.conditions.limits import Cause, Limits, StoppedError
from skywalking_provider.conditions.seat import Question, Seat
from skywalking_provider.model import Deadline

_REMEMBERED = 256


class Lane:
    """One thread and the seat in it, which nobody else touches. `light` learns what its answers take."""

    def __init__(self, name: str, seat: Seat, light: Light | None = None) -> None:
        self._seat = seat
        self._light = light
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
                answer, seconds = await running
        except TimeoutError:
            raise StoppedError(Cause.WAITED) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StoppedError(Cause.CLOSED) from None  # close() took the question out of the queue
        if self._light is not None:
            self._light.learn(question, seconds)
        return answer

    def stop(self) -> None:
        """Take no more questions, and drop those that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the thread's end, and take its guest."""
        self._thread.shutdown(wait=True)
        self._seat.close()

    def _answer(self, question: Question, deadline: Deadline) -> tuple[list[bytes], float]:
        began = time.thread_time()  # of this thread alone: a busy machine makes no question heavy
        return self._seat.answer(question, deadline), time.thread_time() - began


class Lanes:
    """Both lanes, and the memory of what was stopped. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self._sandbox = Sandbox(limits.memory_bytes)
        self._limits = limits
        guest = self._sandbox.guest
        self._light = Light()
        self._here = Seat(guest, seconds=TICK_SECONDS, keep=True)
        self._quick = Lane("quick", Seat(guest, seconds=limits.slice_seconds, keep=True), self._light)
        self._patient = Lane("patient", Seat(guest, seconds=limits.seconds, keep=False))
        self._slow: OrderedDict[tuple[bytes, ...], None] = OrderedDict()
        self._closed = False

    async def ask(self, question: Question, deadline: Deadline) -> list[bytes]:
        """Answer a question in the lane it belongs to.

        Raises:
            StoppedError: See `Lane.ask`.
        """
        try:
            if question in self._light and not self._closed:
                try:
                    return self._here.answer(question, deadline)
                except StoppedError as stopped:
                    if stopped.cause.unanswered:
                        raise
                    self._light.forget(question)
            if question.key not in self._slow:
                try:
                    return await self._quick.ask(question, deadline)
                except StoppedError as stopped:
                    if stopped.cause.unanswered:
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
        self._here.close()
        self._sandbox.close()

    def _remember(self, question: Question) -> None:
        self._slow[question.key] = None
        if len(self._slow) > _REMEMBERED:
            self._slow.popitem(last=False)
