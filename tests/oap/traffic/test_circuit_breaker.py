"""Circuit breaker: opens after consecutive failures, admits one probe after the cool-down, and checks timeouts."""

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import FailureKind
from skywalking_provider.oap.observer import Circuit
from skywalking_provider.oap.traffic.circuit_breaker import CircuitBreaker, Permit

LIMIT, COOL_DOWN, TIMEOUT = 3, 5.0, 5.0


def open_breaker() -> CircuitBreaker:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(LIMIT):
        fail(breaker, FailureKind.CONNECT)
    return breaker


def admit(breaker: CircuitBreaker, now: float = 0.0) -> Permit:
    permit = breaker.admit(now)
    assert permit
    return permit


def fail(breaker: CircuitBreaker, kind: FailureKind, now: float = 0.0) -> None:
    breaker.on_failure(admit(breaker, now), kind, now)


def time_out(breaker: CircuitBreaker, sent_at: float) -> None:
    breaker.on_failure(admit(breaker, sent_at), FailureKind.TIMEOUT, sent_at + TIMEOUT)


def fail_check(breaker: CircuitBreaker, sent_at: float, now: float) -> None:
    check = breaker.begin_check(sent_at)
    assert check
    breaker.on_failure(check, FailureKind.TIMEOUT, now)
    breaker.on_check_failure(check, now)
    breaker.end_check(check, now)


def test_consecutive_failures_open_the_breaker() -> None:
    assert open_breaker().circuit is Circuit.OPEN


def test_response_between_failures_keeps_the_breaker_closed() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(10 * LIMIT):
        fail(breaker, FailureKind.CONNECT)
        fail(breaker, FailureKind.TIMEOUT)
        breaker.on_response(0.0)

    assert breaker.circuit is Circuit.CLOSED


def test_timeouts_alone_never_open_the_breaker() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for second in range(100):
        time_out(breaker, float(second))

    assert breaker.circuit is Circuit.CLOSED


def test_failed_health_check_is_the_last_of_the_failures_that_open_the_breaker() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    time_out(breaker, 0.0)
    assert breaker.begin_check(5.0) is None
    time_out(breaker, 0.0)  # the second of three failures

    fail_check(breaker, 5.0, 10.0)

    assert breaker.circuit is Circuit.OPEN
    assert (breaker.opened_at, breaker.next_probe_at) == (10.0, 10.0 + COOL_DOWN)


def test_timeout_and_connection_error_are_checked_together() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    fail(breaker, FailureKind.CONNECT)
    time_out(breaker, 0.0)

    fail_check(breaker, 5.0, 5.1)

    assert breaker.circuit is Circuit.OPEN


def test_requests_are_admitted_during_the_only_health_check() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(10):
        time_out(breaker, 0.0)

    assert breaker.begin_check(5.0)
    assert breaker.begin_check(5.0) is None
    assert breaker.admit(5.0)


def test_health_check_without_a_result_decides_nothing() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(LIMIT):
        time_out(breaker, 0.0)
    check = breaker.begin_check(5.0)
    assert check
    breaker.on_cancelled(check, 6.0)
    breaker.end_check(check, 6.0)

    assert breaker.circuit is Circuit.CLOSED
    assert breaker.begin_check(6.0)


def test_response_during_the_health_check_keeps_the_breaker_closed() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(LIMIT):
        time_out(breaker, 0.0)
    check = breaker.begin_check(5.0)
    assert check
    breaker.on_response(9.0)
    breaker.on_check_failure(check, 10.0)

    assert breaker.circuit is Circuit.CLOSED


def test_timeout_does_not_count_if_another_request_got_a_response_since() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    for _ in range(10 * LIMIT):
        slow = admit(breaker, 0.0)
        breaker.on_response(4.0)
        breaker.on_failure(slow, FailureKind.TIMEOUT, 5.0)

    assert breaker.begin_check(5.0) is None


def test_after_the_cool_down_only_one_probe_is_admitted() -> None:
    breaker = open_breaker()

    assert breaker.admit(COOL_DOWN - 0.1) is None
    assert breaker.admit(COOL_DOWN) is not None
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.admit(COOL_DOWN + 60) is None


def test_result_of_the_probe_opens_or_closes_the_breaker() -> None:
    breaker = open_breaker()
    fail(breaker, FailureKind.CONNECT, now=COOL_DOWN)

    assert breaker.circuit is Circuit.OPEN
    assert breaker.next_probe_at == 2 * COOL_DOWN
    assert breaker.opened_at == 0.0  # the start of the outage

    breaker.admit(2 * COOL_DOWN)
    breaker.on_response(2 * COOL_DOWN)

    assert breaker.circuit is Circuit.CLOSED


def test_probe_that_times_out_leaves_the_decision_to_a_health_check() -> None:
    breaker = open_breaker()
    time_out(breaker, COOL_DOWN)
    assert breaker.circuit is Circuit.HALF_OPEN

    fail_check(breaker, 2 * COOL_DOWN, 3 * COOL_DOWN)
    assert (breaker.circuit, breaker.next_probe_at) == (Circuit.OPEN, 4 * COOL_DOWN)

    time_out(breaker, 4 * COOL_DOWN)
    assert breaker.begin_check(5 * COOL_DOWN)
    breaker.on_response(5 * COOL_DOWN)
    assert breaker.circuit is Circuit.CLOSED


def test_cancelled_health_check_of_a_probe_admits_the_next_probe_at_once() -> None:
    breaker = open_breaker()
    time_out(breaker, COOL_DOWN)
    check = breaker.begin_check(2 * COOL_DOWN)
    assert check
    breaker.end_check(check, 11.0)

    assert breaker.admit(11.0)
    assert breaker.begin_check(11.0) is None  # the probe is in progress, and has not timed out


def test_cancelled_probe_admits_the_next_one_at_once() -> None:
    breaker = open_breaker()
    probe = admit(breaker, COOL_DOWN)
    breaker.on_cancelled(probe, COOL_DOWN + 1)

    assert breaker.circuit is Circuit.OPEN
    assert breaker.admit(COOL_DOWN + 1) is not None
    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.admit(COOL_DOWN + 60) is None


def test_results_of_earlier_requests_do_not_affect_the_probe() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    earlier = [admit(breaker) for _ in range(LIMIT + 2)]
    for one in earlier[:LIMIT]:
        breaker.on_failure(one, FailureKind.CONNECT, 0.0)
    assert breaker.admit(COOL_DOWN)

    breaker.on_failure(earlier[-1], FailureKind.TIMEOUT, COOL_DOWN)
    breaker.on_cancelled(earlier[-1], COOL_DOWN)

    assert breaker.circuit is Circuit.HALF_OPEN
    assert breaker.begin_check(COOL_DOWN) is None


def test_response_at_the_time_of_a_request_shows_that_the_oap_responds() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    slow = [admit(breaker, 4.0) for _ in range(LIMIT)]
    breaker.on_response(4.0)
    for permit in slow:
        breaker.on_failure(permit, FailureKind.TIMEOUT, 9.0)
    assert breaker.begin_check(9.0) is None

    for _ in range(LIMIT):
        time_out(breaker, 5.0)
    check = breaker.begin_check(10.0)
    assert check
    breaker.on_response(10.0)
    breaker.on_check_failure(check, 15.0)
    assert breaker.circuit is Circuit.CLOSED


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 6))
def test_health_check_is_due_one_failure_before_the_limit_if_one_was_a_timeout(
    limit: int, failures: int, timeouts: int
) -> None:
    failures = min(failures, limit - 1)  # that many leave the breaker closed
    breaker = CircuitBreaker(limit, COOL_DOWN)
    for _ in range(failures):
        fail(breaker, FailureKind.CONNECT)
    for _ in range(timeouts):
        time_out(breaker, 0.0)

    is_due = timeouts > 0 and failures + timeouts >= max(1, limit - 1)
    check = breaker.begin_check(5.0)

    assert breaker.circuit is Circuit.CLOSED
    assert check == (Permit(0, 5.0) if is_due else None)


def test_end_of_an_earlier_health_check_leaves_the_later_one_in_progress() -> None:
    breaker = open_breaker()
    time_out(breaker, COOL_DOWN)
    earlier = breaker.begin_check(2 * COOL_DOWN)
    assert earlier
    breaker.on_response(2 * COOL_DOWN)
    for _ in range(LIMIT):
        time_out(breaker, 11.0)
    later = breaker.begin_check(16.0)
    assert later

    breaker.end_check(earlier, 17.0)

    assert breaker.begin_check(17.0) is None
    breaker.end_check(later, 18.0)
    assert breaker.begin_check(18.0)


def test_outage_keeps_its_start_and_ends_with_its_counts() -> None:
    breaker = open_breaker()
    for number in range(1, 4):
        fail(breaker, FailureKind.CONNECT, now=number * COOL_DOWN)
        assert (breaker.circuit, breaker.opened_at) == (Circuit.OPEN, 0.0)

    probe = admit(breaker, 4 * COOL_DOWN)
    breaker.on_response(21.0)
    breaker.on_failure(probe, FailureKind.CONNECT, 22.0)  # of the outage that has ended
    for _ in range(LIMIT - 1):
        fail(breaker, FailureKind.CONNECT, now=30.0)
    assert breaker.circuit is Circuit.CLOSED

    fail(breaker, FailureKind.CONNECT, now=31.0)
    assert (breaker.circuit, breaker.opened_at, breaker.next_probe_at) == (Circuit.OPEN, 31.0, 31.0 + COOL_DOWN)


def test_failed_health_check_of_an_earlier_state_decides_nothing() -> None:
    breaker = CircuitBreaker(LIMIT, COOL_DOWN)
    time_out(breaker, 0.0)
    time_out(breaker, 0.0)
    check = breaker.begin_check(5.0)
    assert check
    for _ in range(LIMIT):
        fail(breaker, FailureKind.CONNECT, now=6.0)
    assert (breaker.circuit, breaker.next_probe_at) == (Circuit.OPEN, 6.0 + COOL_DOWN)

    breaker.on_check_failure(check, 10.0)
    breaker.end_check(check, 10.0)

    assert (breaker.circuit, breaker.next_probe_at) == (Circuit.OPEN, 6.0 + COOL_DOWN)


@given(st.integers(1, 20))
def test_breaker_opens_with_the_configured_number_of_failures(limit: int) -> None:
    breaker = CircuitBreaker(limit, COOL_DOWN)
    for _ in range(limit - 1):
        fail(breaker, FailureKind.UNAVAILABLE)
    assert breaker.circuit is Circuit.CLOSED

    fail(breaker, FailureKind.UNAVAILABLE)

    assert breaker.circuit is Circuit.OPEN
