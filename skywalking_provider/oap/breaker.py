"""Whether an OAP is asked at all: closed, open, half-open. Pure: the time is an argument, in monotonic seconds."""

from dataclasses import dataclass

from skywalking_provider.errors import Away
from skywalking_provider.oap.observer import Circuit


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to send one request; `round` tells those apart that were sent before the circuit last changed."""

    round: int


class Breaker:
    """The circuit of one OAP.

    It opens after so many failures without an answer between them. What counts is that no connection could be had,
    that it broke, 502 to 504, and lateness; lateness once for each question, so that one slow query opens it for
    nobody. Whatever else an OAP answers, it answers.

    Args:
        failures: So many.
        cool_down: Seconds until it is tried again, with one request.
    """

    def __init__(self, failures: int, cool_down: float) -> None:
        self._limit = failures
        self._cool_down = cool_down
        # The state: what failed since the last answer, since when nothing is asked, and when the next try may be.
        self.circuit = Circuit.CLOSED
        self.opened_at = 0.0
        self.next_try = 0.0
        self._broken = 0
        self._late: set[str] = set()
        self._round = 0

    def refuses(self, now: float) -> bool:
        """Whether there is no use in coming now."""
        return self.circuit is Circuit.HALF_OPEN or (self.circuit is Circuit.OPEN and now < self.next_try)

    def admit(self, now: float) -> Passage | None:
        """Leave to ask, or None. After the cool-down the first who comes is the probe, alone."""
        if self.refuses(now):
            return None
        if self.circuit is Circuit.OPEN:
            self._turn(Circuit.HALF_OPEN)
        return Passage(self._round)

    def answered(self) -> None:
        """An answer came, good or bad: the OAP is there, whenever it was asked."""
        self._broken = 0
        self._late.clear()
        if self.circuit is not Circuit.CLOSED:
            self._turn(Circuit.CLOSED)

    def failed(self, passage: Passage, how: Away, question: str, now: float) -> None:
        """No answer came.

        Args:
            passage: The request's.
            how: Why not.
            question: What was asked; the same in another window is the same.
            now: When it failed.
        """
        if passage.round != self._round:
            return
        if how is Away.LATE:
            self._late.add(question)
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
