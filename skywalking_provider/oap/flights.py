"""Identical reads of one backend share one flight, and its answer for a short while.

SkyWalking makes one new point per metric, entity and minute: most questions asked of it within a few seconds are the
same question. A backend has its own flights, so that nothing crosses backends or their credentials.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cachetools import LRUCache

from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Deadline
from skywalking_provider.oap.cached import FLIGHT_SECONDS
from skywalking_provider.oap.client import LargeAnswer
from skywalking_provider.oap.observer import Observer, Source
from skywalking_provider.plan import Read

_ANSWERS = 512  # of at most LargeAnswer's size

Data = dict[str, Any]


class Flights:
    """What is being read now, and what was read just before.

    Answers are shared: nobody may change them.

    Args:
        name: Of the backend, for messages.
        ask: Reads anew.
        seconds: How long an answer is used; 0 shares flights only.
        observer: Is told of every request that was not needed.
    """

    def __init__(
        self, name: str, ask: Callable[[Read, Deadline], Awaitable[Data]], seconds: float, observer: Observer
    ) -> None:
        self._name = name
        self._observer = observer
        self._ask = ask
        self._seconds = seconds
        # The state: flights by question, and answers by question with the monotonic instant of their asking.
        self._flying: dict[str, asyncio.Task[Data]] = {}
        self._answers: LRUCache[str, tuple[float, Data]] = LRUCache(maxsize=_ANSWERS)

    async def read(self, read: Read, deadline: Deadline) -> Data:
        """The `data` of an answer, perhaps one that somebody else asked for.

        A caller that leaves does not end the flight: others may wait for it, and it ends by its own time limit.

        Raises:
            BackendAway: It did not come in time.
            ProviderError: What asking raised; a failure is shared by those who waited for it, never remembered.
        """
        question = _question(read)
        asked_at, data = self._answers.get(question, (float("-inf"), {}))
        if time.monotonic() - asked_at < self._seconds:
            self._observer.shared(self._name, Source.CACHE)
            return data
        flight = self._flying.get(question)
        if flight is None:
            flight = self._flying[question] = asyncio.create_task(
                self._fly(question, read, Deadline.after(FLIGHT_SECONDS))
            )
            flight.add_done_callback(_seen)
        else:
            self._observer.shared(self._name, Source.FLIGHT)
        try:
            async with asyncio.timeout(deadline.remaining):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise BackendAway(f"backend {self._name} did not answer in time") from error

    async def close(self) -> None:
        """End what is being read."""
        flights = list(self._flying.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    async def _fly(self, question: str, read: Read, deadline: Deadline) -> Data:
        asked_at = time.monotonic()
        try:
            data = await self._ask(read, deadline)
        finally:
            self._flying.pop(question, None)
        if not isinstance(data, LargeAnswer):
            self._answers[question] = (asked_at, data)
        return data


def _question(read: Read) -> str:
    return f"{read.query}\0{json.dumps(read.variables, sort_keys=True)}"


def _seen(flight: asyncio.Task[Data]) -> None:
    """A failure that nobody waits for any more is no failure of the loop."""
    if not flight.cancelled():
        flight.exception()
