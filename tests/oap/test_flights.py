"""Identical questions share one request; nothing else is shared."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Deadline
from skywalking_provider.oap import UNOBSERVED
from skywalking_provider.oap.client import LargeAnswer
from skywalking_provider.oap.flights import Flights
from skywalking_provider.plan import Read

FIRST, SECOND = Read("{ a }", {"duration": {"start": "1"}}), Read("{ a }", {"duration": {"start": "2"}})


class Oap:
    """Counts what it is asked, and answers when it is let."""

    def __init__(self, answer: Callable[[], Any] = lambda: {"a": 1}) -> None:
        self.asked: list[Read] = []
        self.let = asyncio.Event()
        self._answer = answer

    async def read(self, read: Read, _: Deadline) -> dict[str, Any]:
        self.asked.append(read)
        await self.let.wait()
        answer: dict[str, Any] = self._answer()
        return answer


def away() -> Any:
    raise BackendAway("503")


async def test_a_thousand_identical_questions_are_one_request() -> None:
    oap = Oap()
    flights = Flights("prod", oap.read, 10, UNOBSERVED)
    reads = [asyncio.create_task(flights.read(FIRST, Deadline.after(5))) for _ in range(1000)]
    await asyncio.sleep(0)
    oap.let.set()

    assert await asyncio.gather(*reads) == [{"a": 1}] * 1000
    assert await flights.read(FIRST, Deadline.after(5)) == {"a": 1}
    assert oap.asked == [FIRST]


async def test_another_window_is_another_question() -> None:
    oap = Oap()
    oap.let.set()
    flights = Flights("prod", oap.read, 10, UNOBSERVED)

    await flights.read(FIRST, Deadline.after(5))
    await flights.read(SECOND, Deadline.after(5))

    assert oap.asked == [FIRST, SECOND]


async def test_a_failure_is_shared_by_those_who_waited_and_never_remembered() -> None:
    oap = Oap(away)
    flights = Flights("prod", oap.read, 10, UNOBSERVED)
    reads = [asyncio.create_task(flights.read(FIRST, Deadline.after(5))) for _ in range(10)]
    await asyncio.sleep(0)
    oap.let.set()

    results = await asyncio.gather(*reads, return_exceptions=True)
    with pytest.raises(BackendAway):
        await flights.read(FIRST, Deadline.after(5))

    assert all(isinstance(result, BackendAway) for result in results)
    assert oap.asked == [FIRST, FIRST]


async def test_one_who_leaves_takes_nobody_with_him() -> None:
    oap = Oap()
    flights = Flights("prod", oap.read, 10, UNOBSERVED)
    leaver = asyncio.create_task(flights.read(FIRST, Deadline.after(5)))
    stayer = asyncio.create_task(flights.read(FIRST, Deadline.after(5)))
    await asyncio.sleep(0)

    leaver.cancel()
    await asyncio.wait({leaver})
    oap.let.set()

    assert await stayer == {"a": 1}
    assert leaver.cancelled()
    assert len(oap.asked) == 1


async def test_nobody_waits_beyond_his_own_deadline() -> None:
    flights = Flights("prod", Oap().read, 10, UNOBSERVED)

    with pytest.raises(BackendAway, match="backend prod did not answer in time"):
        await flights.read(FIRST, Deadline.after(0.01))
    await flights.close()


async def test_without_a_time_to_live_only_flights_are_shared() -> None:
    oap = Oap()
    oap.let.set()
    flights = Flights("prod", oap.read, 0, UNOBSERVED)

    await flights.read(FIRST, Deadline.after(5))
    await flights.read(FIRST, Deadline.after(5))

    assert len(oap.asked) == 2


async def test_a_large_answer_is_not_kept() -> None:
    oap = Oap(lambda: LargeAnswer(a=1))
    oap.let.set()
    flights = Flights("prod", oap.read, 10, UNOBSERVED)

    await flights.read(FIRST, Deadline.after(5))
    await flights.read(FIRST, Deadline.after(5))

    assert len(oap.asked) == 2


async def test_closing_ends_what_flies() -> None:
    flights = Flights("prod", Oap().read, 10, UNOBSERVED)
    read = asyncio.create_task(flights.read(FIRST, Deadline.after(5)))
    await asyncio.sleep(0)

    await flights.close()

    with pytest.raises(asyncio.CancelledError):
        await read
