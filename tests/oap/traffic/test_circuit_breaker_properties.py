"""Circuit breaker: properties in any order of requests and health checks, and in virtual time."""

import heapq
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.observer import Circuit
from skywalking_provider.oap.traffic.circuit_breaker import CircuitBreaker, Permit

LIMIT, COOL_DOWN, TIMEOUT = 3, 5.0, 5.0


class AnyOrder(RuleBasedStateMachine):
    """Requests and health checks that are admitted, fail, get a response or are cancelled, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(LIMIT, COOL_DOWN)
        self.now = 0.0
        self.in_flight: list[Permit] = []
        self.checks: list[Permit] = []

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def admit(self) -> None:
        rejected = self.breaker.is_open(self.now)
        permit = self.breaker.admit(self.now)
        assert (permit is None) == rejected
        if permit:
            self.in_flight.append(permit)

    @precondition(lambda self: self.in_flight)
    @rule(
        data=st.data(),
        kind=st.sampled_from(
            [FailureKind.CONNECT, FailureKind.UNAVAILABLE, FailureKind.TIMEOUT, None, FailureKind.SERVER_ERROR]
        ),
    )
    def end(self, data: st.DataObject, kind: FailureKind | None) -> None:
        self._end(self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1))), kind)
        if check := self.breaker.begin_check(self.now):
            self.checks.append(check)

    @precondition(lambda self: self.checks)
    @rule(data=st.data(), kind=st.sampled_from([FailureKind.CONNECT, FailureKind.TIMEOUT, None, "response"]))
    def end_check(self, data: st.DataObject, kind: FailureKind | None) -> None:
        check = self.checks.pop(data.draw(st.integers(0, len(self.checks) - 1)))
        failed = kind in (FailureKind.CONNECT, FailureKind.TIMEOUT)
        self._end(check, kind)
        if failed:
            self.breaker.on_check_failure(check, self.now)
        self.breaker.end_check(check, self.now)

    def _end(self, permit: Permit, kind: FailureKind | str | None) -> None:
        if kind is None:
            self.breaker.on_cancelled(permit, self.now)
        elif kind in ("response", FailureKind.SERVER_ERROR):
            self.breaker.on_response(self.now)
            assert self.breaker.circuit is Circuit.CLOSED
        else:
            self.breaker.on_failure(permit, FailureKind(kind), self.now)

    @invariant()
    def a_request_is_admitted_again(self) -> None:
        """The breaker never stays open: open ends by time, half-open by its probe or its check, one in flight."""
        if self.breaker.circuit is Circuit.OPEN:
            assert not self.breaker.is_open(self.now + COOL_DOWN)
        if self.breaker.circuit is Circuit.HALF_OPEN:
            in_flight = [*self.in_flight, *self.checks]
            assert sum(one.generation == self.breaker._generation for one in in_flight) == 1


TestAnyOrder = AnyOrder.TestCase


instants = st.floats(0, 60)


class Simulation:
    """An OAP in virtual time: requests get a response after some seconds or time out, and health checks as well.

    Args:
        requests: Time of each request, and the seconds until its response; None for a request that times out.
        limit: `circuit.failures`.
        check_responds: Returns whether a health check sent at an instant gets a response.
    """

    def __init__(self, requests: list[tuple[float, float | None]], limit: int, *, check_responds: bool) -> None:
        self.breaker = CircuitBreaker(limit, COOL_DOWN)
        self.failures = 0
        self.opened: list[float] = []
        self._check_responds = check_responds
        self._numbers = count()
        self._events: list[tuple[float, int, str, object]] = []
        for sent_at, seconds in requests:
            self._push(sent_at, "send", seconds)
        self._run()

    def _push(self, at: float, kind: str, detail: object) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), kind, detail))

    def _run(self) -> None:
        while self._events and not self.opened:
            now, _, kind, detail = heapq.heappop(self._events)
            if kind == "send":
                permit = self.breaker.admit(now)
                assert permit
                responds = isinstance(detail, float) and detail < TIMEOUT
                self._push(now + (detail if responds else TIMEOUT), "respond" if responds else "time out", permit)  # type: ignore[operator]
            elif kind in ("respond", "check responds") and isinstance(detail, Permit):
                self.breaker.on_response(now)
                self.failures = 0
                if kind == "check responds":
                    self.breaker.end_check(detail, now)
            elif isinstance(detail, Permit):
                self.failures += 1
                self.breaker.on_failure(detail, FailureKind.TIMEOUT, now)
                if kind == "check times out":
                    self.breaker.on_check_failure(detail, now)
                    self.breaker.end_check(detail, now)
                if check := self.breaker.begin_check(now):
                    ends = (now + 0.1, "check responds") if self._check_responds else (now + TIMEOUT, "check times out")
                    self._push(*ends, check)
            if self.breaker.circuit is Circuit.OPEN:
                self.opened.append(now)


@given(st.lists(st.tuples(instants, st.none() | st.floats(0, 4.9)), max_size=60), st.integers(1, 6))
def test_timeouts_never_open_the_breaker_while_the_oap_responds(
    requests: list[tuple[float, float | None]], limit: int
) -> None:
    """A response to any request in each `timeout`, or to the health check, is enough."""
    assert Simulation(requests, limit, check_responds=True).opened == []
    steady = [(float(second), 0.5) for second in range(0, 70, 4)]
    assert Simulation([*requests, *steady], limit, check_responds=False).opened == []


@given(st.lists(instants, min_size=20, max_size=40), st.integers(1, 6))
def test_breaker_opens_if_the_oap_responds_to_nothing(instants: list[float], limit: int) -> None:
    """It opens by a health check, one `timeout` after the failure before the last."""
    simulation = Simulation([(at, None) for at in instants], limit, check_responds=False)

    timed_out_at = sorted(at + TIMEOUT for at in instants)
    assert simulation.opened == [timed_out_at[max(1, limit - 1) - 1] + TIMEOUT]
    assert simulation.failures >= limit
