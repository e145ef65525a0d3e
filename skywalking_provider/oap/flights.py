"""Identical reads of one backend share one flight, and its answer for a short while.

SkyWalking makes one new point per metric, entity and minute: most questions asked of it within a few seconds are the
same question. A backend has its own flights, and each of its credentials its own answers, so that nothing crosses them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Deadline
from skywalking_provider.oap.answers import Answers
from skywalking_provider.oap.errand import Errand
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.oap.slots import Slots
from skywalking_provider.plan import Read

Data = dict[str, Any]


class _Flight:
    """A task that asks, and for whom."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.task: asyncio.Task[Data]


class Flights:
    """What is being read now, and what was read just before.

    Answers are shared: nobody may change them.

    Args:
        name: Of the backend, for messages.
        ask: Reads anew.
        slots: Where an errand waits for its turn.
        lifetime: How many seconds the answer to a read serves that is asked now; 0 shares flights only.
        observer: Is told of every request that was not needed.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[Read, Errand], Awaitable[Data]],
        slots: Slots,
        lifetime: Callable[[Read], float],
        observer: Observer,
    ) -> None:
        self._name = name
        self._ask = ask
        self._slots = slots
        self._lifetime = lifetime
        self._observer = observer
        # The state: flights and answers by question.
        self._flying: dict[bytes, _Flight] = {}
        self._answers = Answers()

    def __repr__(self) -> str:
        return f"<Flights: {len(self._flying)} in flight, {len(self._answers)} answers kept>"

    async def read(self, read: Read, deadline: Deadline, namespace: str, identity: str) -> Data:
        """The `data` of an answer, perhaps one that somebody else asked for.

        A caller that leaves does not end the flight: others may wait for it, and its answer serves the next one. Only
        what nobody waits for and was not sent yet is not sent any more.

        Args:
            read: The question.
            deadline: Until when.
            namespace: Whose turn it takes.
            identity: With whose credentials it would be asked now: nobody else's answer is given.

        Raises:
            BackendAway: It did not come in time.
            ProviderError: What asking raised; a failure is shared by those who waited for it, never remembered.
        """
        question = _digest(f"{identity}\0{read.question}")
        if (data := self._answers.get(question)) is not None:
            self._observer.shared(self._name, Source.CACHE)
            return data
        flight = self._flying.get(question)
        if flight is None:
            flight = self._begin(question, read, Errand(deadline, [namespace]))
        else:
            self._observer.shared(self._name, Source.FLIGHT)
            flight.errand.extend(deadline)
            self._slots.join(flight.errand, namespace)
        return await self._landing(question, flight, deadline)

    async def close(self) -> None:
        """End what is being read."""
        tasks = [flight.task for flight in self._flying.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, question: bytes, read: Read, errand: Errand) -> _Flight:
        flight = self._flying[question] = _Flight(errand)
        flight.task = asyncio.create_task(self._fly(question, read, flight))
        flight.task.add_done_callback(_seen)
        return flight

    async def _fly(self, question: bytes, read: Read, flight: _Flight) -> Data:
        until = time.monotonic() + self._lifetime(read)
        try:
            data = await self._ask(read, flight.errand)
        finally:
            self._forget(question, flight)
        self._answers.keep(question, data, until)
        return data

    async def _landing(self, question: bytes, flight: _Flight, deadline: Deadline) -> Data:
        flight.errand.waiting += 1
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(flight.task)
        except TimeoutError as error:
            raise self._late(flight.errand) from error
        finally:
            flight.errand.waiting -= 1
            if not flight.errand.waiting and not flight.errand.asking:
                self._forget(question, flight)
                flight.task.cancel()

    def _forget(self, question: bytes, flight: _Flight) -> None:
        if self._flying.get(question) is flight:
            del self._flying[question]

    def _late(self, errand: Errand) -> BackendAway:
        if errand.turn is not None:
            return self._slots.refuse("no turn came in time")
        return BackendAway(f"backend {self._name} did not answer in time")


def _digest(question: str) -> bytes:
    """The same for the same question: the texts of a thousand took 0.7 MB."""
    return blake2b(question.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _seen(flight: asyncio.Task[Data]) -> None:
    """A failure that nobody waits for any more is no failure of the loop."""
    if not flight.cancelled():
        flight.exception()
