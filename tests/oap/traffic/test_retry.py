"""Retry decision: which failures are retried, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.traffic.retry import retry_delay

retried_kinds = st.sampled_from([FailureKind.CONNECT, FailureKind.UNAVAILABLE, FailureKind.TIMEOUT])
jitters = st.floats(0, 1)


@given(retried_kinds, st.integers(1, 50), st.floats(0, 30), st.floats(0.1, 10), jitters)
def test_retry_ends_before_the_deadline_or_does_not_start(
    kind: FailureKind, attempt: int, remaining: float, timeout: float, jitter: float
) -> None:
    delay = retry_delay(
        BackendUnavailableError("", kind=kind), attempt, remaining=remaining, timeout=timeout, jitter=jitter
    )

    if delay is not None:
        assert 0 < delay <= 2
        assert delay + (timeout if kind is FailureKind.TIMEOUT else 0.25) <= remaining


@given(jitters)
def test_backoff_grows_with_jitter(jitter: float) -> None:
    error = BackendUnavailableError("", kind=FailureKind.CONNECT)
    delays = [retry_delay(error, n, remaining=60, timeout=5, jitter=jitter) for n in range(1, 8)]

    assert delays == sorted(delays)
    assert 0.05 <= delays[0] <= 0.1
    assert 1 <= delays[-1] <= 2


def test_retry_after_a_timeout_needs_a_whole_timeout() -> None:
    error = BackendUnavailableError("", kind=FailureKind.TIMEOUT)

    assert retry_delay(error, 1, remaining=5.0, timeout=5, jitter=1) is None
    assert retry_delay(error, 1, remaining=5.2, timeout=5, jitter=1) is not None


@pytest.mark.parametrize(
    "error",
    [
        BackendUnavailableError("HTML", kind=FailureKind.UNUSABLE_RESPONSE),
        BackendUnavailableError("no slot", kind=FailureKind.OVERLOADED),
        ProviderError(Reason.OAP_REJECTED, "401"),
        ProviderError(Reason.QUERY_INVALID, "no such field"),
        ProviderError(Reason.OAP_RESPONSE_INVALID, "too long"),
        RuntimeError("a bug"),
    ],
)
def test_other_failures_are_not_retried(error: Exception) -> None:
    assert retry_delay(error, 1, remaining=60, timeout=5, jitter=0) is None


@given(st.floats(0, 100), st.floats(0, 100), jitters)
def test_retry_after_is_honoured_if_it_fits_the_deadline(retry_after: float, remaining: float, jitter: float) -> None:
    error = BackendUnavailableError("429", kind=FailureKind.RATE_LIMITED, retry_after=retry_after)

    delay = retry_delay(error, 1, remaining=remaining, timeout=5, jitter=jitter)

    if delay is None:
        assert max(retry_after, 0.05) + 0.25 > remaining - 0.1
    else:
        assert retry_after <= delay <= remaining - 0.25


def test_rate_limit_without_retry_after_is_not_retried() -> None:
    error = BackendUnavailableError("429", kind=FailureKind.RATE_LIMITED)

    assert retry_delay(error, 1, remaining=60, timeout=5, jitter=1) is None


def test_retry_after_of_an_unavailable_backend_replaces_a_shorter_backoff() -> None:
    error = BackendUnavailableError("503", kind=FailureKind.UNAVAILABLE, retry_after=3.0)

    assert retry_delay(error, 1, remaining=60, timeout=5, jitter=1) == 3.0
    assert retry_delay(error, 1, remaining=3.2, timeout=5, jitter=1) is None


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.6), (6, 2.0), (7, 2.0), (1000, 2.0)]
)
def test_backoff_doubles_up_to_two_seconds_and_jitter_takes_up_to_half_of_it(attempt: int, longest: float) -> None:
    error = BackendUnavailableError("", kind=FailureKind.CONNECT)
    delays = [retry_delay(error, attempt, remaining=60, timeout=5, jitter=jitter) for jitter in (0, 0.5, 1)]

    assert delays == pytest.approx([longest / 2, longest * 0.75, longest])


@pytest.mark.parametrize(
    ("kind", "needed"), [(FailureKind.RATE_LIMITED, 0.25), (FailureKind.CONNECT, 0.25), (FailureKind.TIMEOUT, 5.0)]
)
def test_retry_starts_if_its_attempt_just_fits_the_deadline(kind: FailureKind, needed: float) -> None:
    error = BackendUnavailableError("", kind=kind, retry_after=3.0)

    assert retry_delay(error, 1, remaining=3.0 + needed, timeout=5, jitter=1) == 3.0
    assert retry_delay(error, 1, remaining=2.99 + needed, timeout=5, jitter=1) is None
