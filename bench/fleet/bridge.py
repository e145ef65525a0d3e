"""The bridge: selection of a replica, retries, and what it notices of a lost replica."""

import hashlib
import random
from collections.abc import Callable, Sequence
from functools import cache

from bench.fleet.calls import Call
from bench.fleet.event_loop import EventLoop
from bench.fleet.model import (
    RESUME_SECONDS,
    RETRY_ATTEMPTS,
    RETRY_FACTOR,
    RETRY_FIRST_SECONDS,
    RETRY_MAX_SECONDS,
    Placement,
)
from bench.fleet.replica import Replica
from bench.fleet.tally import Outcome, Tally

EndCall = Callable[[Call, Outcome, float], None]


def retry_pause(attempt: int, jitter: float) -> float:
    """Return the pause after a failed attempt: gRPC's backoff, with a jitter from 0 to 1."""
    pause: float = min(RETRY_FIRST_SECONDS * RETRY_FACTOR ** (attempt - 1), RETRY_MAX_SECONDS)
    return pause * (0.8 + 0.4 * jitter)


@cache
def rank_replicas(service: int, replicas: int) -> Sequence[int]:
    """Return the replicas in the order in which a service prefers them (rendezvous hashing)."""

    def weigh(replica: int) -> bytes:
        return hashlib.blake2b(f"{service}/{replica}".encode(), digest_size=8).digest()

    return sorted(range(replicas), key=weigh)


class Bridge:
    """The bridge of one controller.

    Args:
        placement: Whether calls are balanced round robin or by service.
        replicas: All replicas.
        loop: Event loop.
        tally: Counts.
        rng: Random numbers of the jitter.
        first: Position at which round robin starts.
    """

    def __init__(
        self,
        placement: Placement,
        replicas: Sequence[Replica],
        loop: EventLoop,
        tally: Tally,
        rng: random.Random,
        first: int,
    ) -> None:
        self._by_service = placement is Placement.AFFINITY
        self._replicas = replicas
        self._loop = loop
        self._tally = tally
        self._rng = rng
        self.end_call: EndCall = lambda *_: None
        # State: usable replicas and the position of round robin.
        self._usable = list(replicas)
        self._next = first

    def send(self, call: Call) -> None:
        """Send a call to a replica. Without one, the measurement waits."""
        if not self._usable:
            self.end_call(call, Outcome.RUNNING, self._loop.now + RESUME_SECONDS)
            return
        self._select(call).receive(call, self)

    def retry(self, call: Call) -> None:
        """Send a call again, whose connection ended."""
        now = self._loop.now
        resume_at = now + min(max(call.deadline - now, 0.0), retry_pause(call.attempt, self._rng.random()))
        if call.attempt >= RETRY_ATTEMPTS or resume_at >= call.deadline:
            self.end_call(call, Outcome.RUNNING, now + RESUME_SECONDS)
            return
        call.attempt += 1
        self._tally.retried += 1
        self._loop.at(resume_at, self.send, call)

    def update(self) -> None:
        """Use the replicas whose connections are established."""
        self._usable = [one for one in self._replicas if one.connected]

    def _select(self, call: Call) -> Replica:
        if self._by_service:
            ranked = rank_replicas(call.run.service, len(self._replicas))
            return next(self._replicas[at] for at in ranked if self._replicas[at].connected)
        self._next += 1
        return self._usable[self._next % len(self._usable)]
