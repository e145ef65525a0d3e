"""Reads the series of one measurement as aliases of few requests; one that OAP refuses is parted until it is accepted.

A field of GraphQL that throws takes the whole answer with it. Series of different measurements never share a request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.aliases import Limits, fitting, learned, parted
from skywalking_provider.forms.metrics import Wanted, read_of
from skywalking_provider.model import Window
from skywalking_provider.plan import Read

_PARTED = (Reason.QUERY_INVALID, Reason.OAP_RESPONSE_INVALID)  # may be the fault of one alias, or of their number

_AT_ONCE = 2  # of one measurement's requests: an OAP answers the fields of all with as many threads as it has cores

Ask = Callable[[Read], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Found:
    """What came back.

    Attributes:
        data: The fields by alias.
        reads: The requests that were answered.
    """

    data: dict[str, Any]
    reads: tuple[Read, ...]


class SeriesReader:
    """Reads series of one OAP, and learns how many it takes at once.

    Args:
        max_answer_bytes: Of one answer.
    """

    def __init__(self, max_answer_bytes: int) -> None:
        # The state: what a request may have, smaller than what is usual once the OAP refused that.
        self._limits = Limits(points=max_answer_bytes // 64)  # a bucket with its id and value has some 45 bytes

    async def read(self, wanted: Sequence[Wanted], window: Window, ask: Ask, *, mqe: bool) -> Found:
        """All series.

        Args:
            wanted: With aliases that differ.
            window: The same for all.
            ask: Asks one request, by the measurement's deadline.
            mqe: Whether the OAP understands expressions.

        Raises:
            BackendAway: As `ask`.
            ProviderError: As `ask`; where it is the fault of one series, the error names it.
        """
        parts = parted(wanted, fitting(wanted, window, self._limits, mqe=mqe))
        if len(parts) == 1:
            return await self._part(parts[0], window, ask, mqe=mqe)
        few = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(part: Sequence[Wanted]) -> Found:
            async with few:
                return await self._part(part, window, ask, mqe=mqe)

        tasks = [asyncio.create_task(in_turn(part)) for part in parts]
        try:
            return _together(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _part(self, wanted: Sequence[Wanted], window: Window, ask: Ask, *, mqe: bool) -> Found:
        read = read_of(wanted, window, mqe=mqe)
        try:
            return Found(await ask(read), (read,))
        except ProviderError as error:
            if len(wanted) == 1 or error.reason not in _PARTED:
                raise
            self._limits = learned(self._limits, error.what, len(wanted), mqe=mqe)
        if fitting(wanted, window, self._limits, mqe=mqe) < len(wanted):
            return await self.read(wanted, window, ask, mqe=mqe)
        return await self._halves(wanted, window, ask, mqe=mqe)

    async def _halves(self, wanted: Sequence[Wanted], window: Window, ask: Ask, *, mqe: bool) -> Found:
        """One after the other: the first error of a single series ends it, and all may have the same."""
        found = []
        for half in parted(wanted, -(-len(wanted) // 2)):
            try:
                found.append(await self._part(half, window, ask, mqe=mqe))
            except ProviderError as error:
                if len(half) > 1 or error.reason not in _PARTED:
                    raise
                named = f"{half[0].expression} of {half[0].entity.name}: {error.what}"
                raise ProviderError(error.reason, named, error.remedy) from error
        return _together(found)


def _together(found: Sequence[Found]) -> Found:
    data: dict[str, Any] = {}
    for one in found:
        data |= one.data
    return Found(data, tuple(read for one in found for read in one.reads))
