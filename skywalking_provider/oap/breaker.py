"""Whether an OAP is asked at all: closed, open, half-open. Pure: the time is an argument, in monotonic seconds."""

from dataclasses import dataclass
from typing import Final

from cachetools import FIFOCache

from skywalking_provider.errors import Away
from skywalking_provider.oap.observer import Circuit
from skywalking_provider.plan import Read

_REMEMBERED: Final = 256  # late questions of one outage: a bound of memory; in a long one each probe may be another


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to send one request; `round` tells those apart that were sent before the circuit last changed."""

    round: int


class Breaker:
    """The circuit of one OAP.

    It opens after so many failures without an answer between them. What counts is that no connection could be had,
    that it broke, 502 to 504, and lateness; lateness once for each question, so that one slow query opens it for
    nobody; and as the probe it gives way to others, so that it keeps the circuit open for nobody either. Whatever else
    an OAP answers, it answers.

    Args:
        failures: So many.
        cool_down: Seconds until it is tried again, with one request.
    """

    def __init__(self, failures: int, cool_down: float) -> None:
        self._limit = failures
        self._cool_down = cool_down
        # The state: what failed since the last answer (lateness by question), since when nothing is asked, and when the
        # next try may be.
        self.circuit = Circuit.CLOSED
        self.opened_at = 0.0
        self.next_try = 0.0
        self._broken = 0
        self._late: FIFOCache[str, None] = FIFOCache(max(failures, _REMEMBERED))
        self._round = 0

    def next_try_of(self, read: Read) -> float:
        """When a read may be the next try: one whose question was late leaves the first cool-down to all others."""
        return self.next_try + (self._cool_down if read.topic in self._late else 0.0)

    def refuses(self, read: Read, now: float) -> bool:
        """Whether there is no use in coming now."""
        if self.circuit is Circuit.OPEN:
            return now < self.next_try or now < self.next_try_of(read)
        return self.circuit is Circuit.HALF_OPEN

    def admit(self, read: Read, now: float) -> Passage | None:
        """Leave to ask, or None. After the cool-down the first who comes is the probe, alone."""
        if self.refuses(read, now):
            return None
        if self.circuit is Circuit.OPEN:
            self._turn(Circuit.HALF_OPEN)
        return Passage(self._round)

    def answered(self) -> None:
        """An answer came, good or bad: the OAP is there, whenever it was asked."""
        self._broken = 0
        if self._late:
            self._late.clear()
        if self.circuit is not Circuit.CLOSED:
            self._turn(Circuit.CLOSED)

    def failed(self, passage: Passage, how: Away, read: Read, now: float) -> None:
        """No answer came.

        Args:
            passage: The request's.
            how: Why not.
            read: What was asked; the same in another window is the same.
            now: When it failed.
        """
        if passage.round != self._round:
            return
        if how is Away.LATE:
            self._late[read.topic] = None
        else:
            self._broken += 1
        if self.circuit is Circuit.HALF_OPEN:
            self._open(now)
        elif self._broken + len(self._late) >= self._limit:
            self.opened_at = now
            self._open(now)

    def withdrawn(self, passage: Passage, now: float) -> None:
        """The request was given up: it tells nothing, and if it was the probe, the next one is."""
        if passage.round == self._round and self.circuit is Circuit.HALF_OPEN:
            self._turn(Circuit.OPEN)
            self.next_try = now

    def _open(self, now: float) -> None:
        self._turn(Circuit.OPEN)
        self.next_try = now + self._cool_down

    def _turn(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self._round += 1
