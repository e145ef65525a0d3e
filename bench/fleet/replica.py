"""A replica of the service: one core, its caches and its path to the OAP."""

import random
from typing import Protocol

from bench.fleet.caches import Flight, Lookup, ReplicaCache, SharedCache
from bench.fleet.calls import Call
from bench.fleet.event_loop import EventLoop
from bench.fleet.model import Fleet
from bench.fleet.oap_path import OapPath
from bench.fleet.oap_pool import OapPool
from bench.fleet.tally import Outcome, Tally
from bench.fleet.waiting import decide_outage

_MINUTE = 60


class Caller(Protocol):
    """Bridge that a call came from."""

    def end_call(self, call: Call, outcome: Outcome, resume_at: float, /) -> None:
        """Receive the result."""

    def retry(self, call: Call) -> None:
        """Send a call again, whose connection ended."""


class Replica:
    """A replica. Its core runs the parts of all measurements in the order of their arrival.

    Args:
        number: Its number.
        fleet: The fleet.
        loop: Event loop.
        oaps: The OAPs.
        shared: Cache of all replicas; None without one.
        tally: Counts.
        rng: Random numbers of the jitter.

    Attributes:
        connected: Whether the bridge has a connection to it, as far as the bridge knows.
    """

    def __init__(
        self,
        number: int,
        fleet: Fleet,
        loop: EventLoop,
        oaps: OapPool,
        shared: SharedCache | None,
        tally: Tally,
        rng: random.Random,
    ) -> None:
        self._number = number
        self._fleet = fleet
        self._cpu = fleet.cpu
        self._loop = loop
        self._oaps = oaps
        self._shared = shared
        self._tally = tally
        self._rng = rng
        self.connected = True
        self._start()

    def _start(self) -> None:
        # State of a process: its caches, its path to the OAP, the end of its work, and the calls in progress.
        ttls = self._fleet.cache
        self._cache = ReplicaCache[Call](ttls.response_ttl.total_seconds(), ttls.verdict_ttl.total_seconds())
        self._path = OapPath(self._oaps, self._loop, self._tally, self._rng, self._on_response, self._on_failure)
        self._alive = True
        self._free_at = self._loop.now
        self._calls: dict[Call, Caller] = {}

    def receive(self, call: Call, caller: Caller) -> None:
        """Receive a call."""
        self._calls[call] = caller
        call.sequence += 1
        if not self._alive:
            return
        idle = self._free_at <= self._loop.now
        parsed_at = self._work(self._cpu.shared / 2)
        if idle or self._path.is_open(self._loop.now):
            self._measure(call, call.sequence)
        else:
            self._loop.at(parsed_at, self._measure, call, call.sequence)

    def stop(self) -> None:
        """End the process, with or without the bridge's notice."""
        self._alive = False
        self._path.close()

    def disconnect(self) -> None:
        """End the connection. The bridge retries the calls on it."""
        self.connected = False
        calls, self._calls = self._calls, {}
        for call, caller in calls.items():
            call.sequence += 1
            caller.retry(call)

    def start_again(self) -> None:
        """Start a new process that the bridge is connected to, with empty caches."""
        self._start()
        self.connected = True

    def forget_expired(self) -> None:
        """Drop expired cache entries."""
        self._cache.forget_expired(self._loop.now)

    def _measure(self, call: Call, sequence: int) -> None:
        if call.sequence != sequence or not self._alive:
            return
        now = self._loop.now
        minute = int(now // _MINUTE)
        service = call.run.service
        key = (service, min(call.metric, self._fleet.reads - 1), minute)
        match self._cache.look_up((service, call.metric, minute), key, now):
            case Lookup.VERDICT:
                self._succeed(call, sequence, self._cpu.shared / 2)
            case Lookup.RESPONSE:
                self._judge(call, sequence, self._cpu.shared / 2)
            case Lookup.IN_FLIGHT:
                self._cache.join(key, call.deadline, call)
            case Lookup.MISS:
                self._read(call, sequence, key)

    def _read(self, call: Call, sequence: int, key: tuple[int, int, int]) -> None:
        now = self._loop.now
        if self._shared is not None:
            self._use_shared_cache()
            if (expires_at := self._shared.get(key, now)) is not None:
                self._cache.put_response(key, expires_at, now)
                self._judge(call, sequence, self._cpu.shared / 2)
                return
        self._work(self._request_seconds / 2)
        self._path.fetch(self._cache.begin(key, now, call.deadline, call))

    def _on_response(self, flight: Flight[Call]) -> None:
        self._cache.end(flight)
        now = self._loop.now
        expires_at = flight.began_at + self._cache.response_ttl
        self._cache.put_response(flight.key, expires_at, now)
        if self._shared is not None:
            self._use_shared_cache()
            self._shared.put(flight.key, expires_at)
        seconds = self._request_seconds / 2
        for call in flight.waiters:
            if call in self._calls:
                self._judge(call, call.sequence, self._cpu.shared / 2 + seconds)
                seconds = 0.0

    def _on_failure(self, flight: Flight[Call]) -> None:
        self._cache.end(flight)
        for call in flight.waiters:
            if call in self._calls:
                ends_at = self._work(self._cpu.shared / 2)
                outcome, resume_at = decide_outage(call.started_at, ends_at)
                self._respond(call, call.sequence, ends_at, outcome, resume_at)

    def _judge(self, call: Call, sequence: int, seconds: float) -> None:
        now = self._loop.now
        verdict_key = (call.run.service, call.metric, int(now // _MINUTE))
        self._cache.put_verdict(verdict_key, call.sent_at, now)
        self._succeed(call, sequence, seconds + self._cpu.judged)

    def _succeed(self, call: Call, sequence: int, seconds: float) -> None:
        self._respond(call, sequence, self._work(seconds), Outcome.SUCCESSFUL, 0.0)

    def _respond(self, call: Call, sequence: int, at: float, outcome: Outcome, resume_at: float) -> None:
        self._loop.at(at + self._fleet.caller_seconds, self._end, call, sequence, outcome, resume_at)

    def _end(self, call: Call, sequence: int, outcome: Outcome, resume_at: float) -> None:
        if call.sequence == sequence and self._alive and (caller := self._calls.pop(call, None)):
            caller.end_call(call, outcome, resume_at)

    @property
    def _request_seconds(self) -> float:
        return self._cpu.uncached - self._cpu.shared

    def _use_shared_cache(self) -> None:
        self._tally.lookups += 1
        self._work(self._cpu.lookup)

    def _work(self, seconds: float) -> float:
        """Occupy the core. Return when the work is done."""
        self._free_at = max(self._free_at, self._loop.now) + seconds
        self._tally.worked(self._number, self._loop.now, seconds)
        return self._free_at
