"""Past minutes of an OAP server, in chunks that are read and cached as wholes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from skywalking_provider.model import Window

MINUTE: Final = timedelta(minutes=1)
CHUNK: Final = timedelta(hours=6)
"""Length of a chunk. OAP returns at most 500 buckets for a window."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Closed minutes of the history on a grid that does not depend on its start, so that later calls share it.

    No chunk has minutes of two days of the OAP. An OAP with a JDBC storage reads only the first day's table for a
    window that crosses midnight and is shorter than a day (apache/skywalking#14061).

    Attributes:
        start: First minute, in UTC.
        end: End of the last minute, in UTC. Only the newest chunk is shorter than `CHUNK`.
    """

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        """Number of minutes."""
        return (self.end - self.start) // MINUTE

    def window(self, zone: tzinfo | None) -> Window:
        """Return the window of the chunk in the OAP's zone."""
        return Window(self.start.astimezone(zone), self.end.astimezone(zone), MINUTE)


@dataclass(frozen=True, slots=True)
class History:
    """Closed minutes that are replayed.

    Attributes:
        start: First minute.
        end: End of the last closed minute.
        zone: Zone of the OAP.
    """

    start: datetime
    end: datetime
    zone: tzinfo | None = UTC

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """Chunks of the grid that have any of the minutes."""
        return tuple(self.chunks_of(self.start, self.end))

    def chunks_of(self, start: datetime, end: datetime) -> Iterator[Chunk]:
        """Yield the chunks that have any of these minutes, none of which is after the end of the history."""
        start, end, last = start.astimezone(UTC), end.astimezone(UTC), self.end.astimezone(UTC)
        midnight = _EPOCH - (start.astimezone(self.zone).utcoffset() or timedelta(0))
        at = midnight + (start - midnight) // CHUNK * CHUNK
        while at < min(end, last):
            yield Chunk(at, min(at + CHUNK, last))
            at += CHUNK


ChunkPart = tuple[Chunk, int, int]
"""A chunk with the positions of the first minute of a window in it, and of the one after the last."""


@lru_cache(4096)
def split_window(history: History, window: Window) -> tuple[ChunkPart, ...]:
    """Return the chunks of a window, each with the positions of the window's part in it."""
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    return tuple(
        (one, max(0, (start - one.start) // MINUTE), min(one.minutes, (end - one.start) // MINUTE))
        for one in history.chunks_of(start, end)
    )


def floor_minute(instant: datetime) -> datetime:
    """Return the start of the minute of an instant."""
    return instant.replace(second=0, microsecond=0)
