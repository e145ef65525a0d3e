"""Circuit breaker: opens after consecutive failures and admits one probe after the cool-down."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.observer import Circuit
from skywalking_provider.oap.traffic.circuit_breaker import CircuitBreaker, Permit

LIMIT, COOL_DOWN = 3, 5.0
Q, OTHER = GraphqlRequest("q", {}), GraphqlRequest("other", {})


def open_breaker() -> CircuitBreaker:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(LIMIT):
        fail(breaker, FailureKind.CONNECT)
    return breaker


def fail(breaker: CircuitBreaker, kind: FailureKind, query: str = "q", now: float = 0.0) -> None:
    permit = breaker.admit(GraphqlRequest(query, {}), now)
    assert permit
    breaker.on_failure(permit, kind, GraphqlRequest(query, {}), now)


def test_consecutive_failures_open_the_breaker() -> None:
    assert open_breaker().circuit is Circuit.OPEN


def test_response_between_failures_keeps_the_breaker_closed() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(10 * LIMIT):
        fail(breaker, FailureKind.CONNECT)
        fail(breaker, FailureKind.TIMEOUT)
        breaker.on_response()

    assert breaker.circuit is Circuit.CLOSED


def test_timeouts_of_one_query_never_open_the_breaker() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for minute in range(100):
        fail(breaker, FailureKind.TIMEOUT, "slow", now=60.0 * minute)

    assert breaker.circuit is Circuit.CLOSED


def test_timeouts_of_several_queries_open_the_breaker() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for query in ("a", "b", "c"):
        fail(breaker, FailureKind.TIMEOUT, query)

    assert breaker.circuit is Circuit.OPEN


def test_after_the_cool_down_only_one_probe_is_admitted() -> None:
    breaker = open_breaker()

    assert breaker.admit(Q, COOL_DOWN - 0.1) is None
    assert breaker.admit(Q, COOL_DOWN) is not None
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.admit(Q, COOL_DOWN + 60) is None


def test_result_of_the_probe_opens_or_closes_the_breaker() -> None:
    breaker = open_breaker()
    fail(breaker, FailureKind.CONNECT, now=COOL_DOWN)

    assert breaker.circuit is Circuit.OPEN
    assert breaker.earliest_probe_at(Q) == 2 * COOL_DOWN
    assert breaker.opened_at == 0.0  # the start of the outage

    breaker.admit(Q, 2 * COOL_DOWN)
    breaker.on_response()

    assert breaker.circuit is Circuit.CLOSED


def test_query_that_timed_out_is_the_probe_one_cool_down_later() -> None:
    breaker = open_breaker()
    fail(breaker, FailureKind.TIMEOUT, now=COOL_DOWN)

    assert (breaker.earliest_probe_at(OTHER), breaker.earliest_probe_at(Q)) == (2 * COOL_DOWN, 3 * COOL_DOWN)
    assert breaker.admit(Q, 2.9 * COOL_DOWN) is None
    assert breaker.admit(OTHER, 2.9 * COOL_DOWN)


def test_query_that_timed_out_is_the_probe_without_other_queries() -> None:
    breaker = open_breaker()
    fail(breaker, FailureKind.TIMEOUT, now=COOL_DOWN)

    assert breaker.admit(Q, 3 * COOL_DOWN)


def test_response_forgets_the_timeouts_of_queries() -> None:
    breaker = open_breaker()
    fail(breaker, FailureKind.TIMEOUT, now=COOL_DOWN)
    breaker.on_response()
    for _ in range(LIMIT):
        fail(breaker, FailureKind.CONNECT, now=60.0)

    assert breaker.earliest_probe_at(Q) == breaker.earliest_probe_at(OTHER)


def test_memory_of_timed_out_queries_is_bounded() -> None:
    breaker = open_breaker()
    for number in range(2000):
        fail(breaker, FailureKind.TIMEOUT, f"q{number}", now=COOL_DOWN * (number + 1))

    assert len(breaker._timed_out_queries) < 1000


def test_cancelled_probe_admits_the_next_one_at_once() -> None:
    breaker = open_breaker()
    probe = breaker.admit(Q, COOL_DOWN)
    assert probe
    breaker.on_cancelled(probe, COOL_DOWN + 1)

    assert breaker.admit(Q, COOL_DOWN + 1) is not None


def test_results_of_earlier_requests_do_not_affect_the_probe() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    earlier = [breaker.admit(Q, 0.0) for _ in range(LIMIT + 2)]
    for one in earlier[:LIMIT]:
        assert one
        breaker.on_failure(one, FailureKind.CONNECT, Q, 0.0)
    assert breaker.admit(Q, COOL_DOWN)
    last_earlier = earlier[-1]
    assert last_earlier

    breaker.on_failure(last_earlier, FailureKind.TIMEOUT, Q, COOL_DOWN)
    breaker.on_cancelled(last_earlier, COOL_DOWN)

    assert breaker.circuit is Circuit.HALF_OPEN


class AnyOrder(RuleBasedStateMachine):
    """Requests that are admitted, fail, get a response or are cancelled, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(LIMIT, COOL_DOWN)
        self.now = 0.0
        self.in_flight: list[Permit] = []

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def admit(self) -> None:
        rejected = self.breaker.is_open_for(Q, self.now)
        permit = self.breaker.admit(Q, self.now)
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
        permit = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        if kind is None:
            self.breaker.on_cancelled(permit, self.now)
        elif kind is FailureKind.SERVER_ERROR:
            self.breaker.on_response()
            assert self.breaker.circuit is Circuit.CLOSED
        else:
            self.breaker.on_failure(permit, kind, Q, self.now)

    @invariant()
    def a_request_is_admitted_again(self) -> None:
        """The breaker never stays open: open ends by time, half-open by its probe, which is in flight."""
        if self.breaker.circuit is Circuit.OPEN:
            assert not self.breaker.is_open_for(OTHER, self.now + COOL_DOWN)
            assert not self.breaker.is_open_for(Q, self.now + 2 * COOL_DOWN)
        if self.breaker.circuit is Circuit.HALF_OPEN:
            assert sum(one.generation == self.breaker._generation for one in self.in_flight) == 1


TestAnyOrder = AnyOrder.TestCase


@given(st.integers(1, 20))
def test_breaker_opens_with_the_configured_number_of_failures(limit: int) -> None:
    breaker = CircuitBreaker(limit, COOL_DOWN)
    for _ in range(limit - 1):
        fail(breaker, FailureKind.UNAVAILABLE)
    assert breaker.circuit is Circuit.CLOSED

    fail(breaker, FailureKind.UNAVAILABLE)

    assert breaker.circuit is Circuit.OPEN
