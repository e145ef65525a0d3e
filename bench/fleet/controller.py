"""Argo's controller: workers, runs that wait for one, and the limit of its patches."""

import math
from collections import deque
from collections.abc import Callable

from bench.fleet.calls import Call, Run
from bench.fleet.event_loop import EventLoop
from bench.fleet.model import CALL_SECONDS, INTERVAL_SECONDS, Fleet
from bench.fleet.tally import Outcome, Tally


class TokenBucket:
    """Rate limit of the Kubernetes client.

    Args:
        rate: Tokens per second.
        burst: Tokens of a full bucket.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        # State: tokens at a time; negative ones are reserved.
        self._tokens = float(burst)
        self._counted_at = 0.0

    def reserve(self, now: float) -> float:
        """Take a token. Return the time at which it may be used."""
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate) - 1
        self._counted_at = now
        return now if self._tokens >= 0 else now - self._tokens / self._rate


class Controller:
    """A controller with its part of the runs.

    A worker measures the due metrics of one run in parallel, waits for all, and patches the run's status.

    Args:
        fleet: The fleet.
        loop: Event loop.
        tally: Counts.
        send: Sends a call to a replica.
    """

    def __init__(self, fleet: Fleet, loop: EventLoop, tally: Tally, send: Callable[[Call], None]) -> None:
        self._loop = loop
        self._tally = tally
        self._send = send
        self._patches = TokenBucket(fleet.patches, fleet.patch_burst)
        # State: free workers and the runs that wait for one.
        self._free = fleet.threads
        self._queue: deque[Run] = deque()

    def wake(self, run: Run) -> None:
        """Reconcile a run as soon as a worker is free."""
        if run.paused or run.queued:
            return
        run.queued = True
        if self._free:
            self._reconcile(run)
        else:
            self._queue.append(run)

    def end_call(self, call: Call, outcome: Outcome, resume_at: float = 0.0) -> None:
        """Store the result of a call."""
        if call.ended:
            raise RuntimeError("fleet: a call ended twice")
        call.ended = True
        now, run, metric = self._loop.now, call.run, call.metric
        self._tally.call_ended(outcome, call.sent_at, now)
        if outcome is Outcome.RUNNING:
            run.due[metric] = math.ceil(resume_at)  # the service rounds up to a whole second
        else:
            self._tally.measurement_ended(outcome, run.first_due[metric], now)
            run.started[metric] = None
            run.due[metric] = run.first_due[metric] = now + INTERVAL_SECONDS
            run.paused |= outcome is not Outcome.SUCCESSFUL
        run.pending -= 1
        if not run.pending:
            self._patch(run)

    def _reconcile(self, run: Run) -> None:
        self._free -= 1
        now = self._loop.now
        calls = []
        for metric, due in enumerate(run.due):
            if due > now:
                continue
            started_at = run.started[metric]
            if started_at is None:
                started_at = run.started[metric] = now
                self._tally.begun += 1
            calls.append(Call(run, metric, started_at, now, now + CALL_SECONDS))
        run.pending = len(calls)
        for call in calls:
            self._tally.call_began(now)
            self._send(call)
        if not calls:
            self._release(run)

    def _patch(self, run: Run) -> None:
        allowed_at = self._patches.reserve(self._loop.now)
        if allowed_at <= self._loop.now:
            self._release(run)
        else:
            self._loop.at(allowed_at, self._release, run)

    def _release(self, run: Run) -> None:
        self._free += 1
        run.queued = False
        if not run.paused:
            self._loop.at(min(run.due), self.wake, run)
        if self._queue:
            self._reconcile(self._queue.popleft())
