"""What is tried again, when, and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.traffic.retry import retry_delay

away = st.sampled_from([FailureKind.CONNECT, FailureKind.UNAVAILABLE, FailureKind.TIMEOUT])
chances = st.floats(0, 1)


@given(away, st.integers(1, 50), st.floats(0, 30), st.floats(0.1, 10), chances)
def test_an_attempt_is_over_by_the_deadline_or_not_begun(
    how: FailureKind, attempt: int, remaining: float, timeout: float, chance: float
) -> None:
    pause = retry_delay(
        BackendUnavailableError("", kind=how), attempt, remaining=remaining, timeout=timeout, jitter=chance
    )

    if pause is not None:
        assert 0 < pause <= 2
        assert pause + (timeout if how is FailureKind.TIMEOUT else 0.25) <= remaining


@given(chances)
def test_pauses_grow_and_spread(chance: float) -> None:
    error = BackendUnavailableError("", kind=FailureKind.CONNECT)
    pauses = [retry_delay(error, n, remaining=60, timeout=5, jitter=chance) for n in range(1, 8)]

    assert pauses == sorted(pauses)
    assert 0.05 <= pauses[0] <= 0.1
    assert 1 <= pauses[-1] <= 2


def test_what_was_late_needs_its_whole_time_again() -> None:
    error = BackendUnavailableError("", kind=FailureKind.TIMEOUT)

    assert retry_delay(error, 1, remaining=5.0, timeout=5, jitter=1) is None
    assert retry_delay(error, 1, remaining=5.2, timeout=5, jitter=1) is not None


@pytest.mark.parametrize(
    "error",
    [
        BackendUnavailableError("it answered HTML"),
        BackendUnavailableError("no turn", reason=Reason.PROVIDER_OVERLOADED),
        ProviderError(Reason.OAP_REJECTED, "401"),
        ProviderError(Reason.QUERY_INVALID, "no such field"),
        ProviderError(Reason.OAP_RESPONSE_INVALID, "too long"),
        RuntimeError("a bug"),
    ],
)
def test_what_was_answered_is_not_asked_again(error: Exception) -> None:
    assert retry_delay(error, 1, remaining=60, timeout=5, jitter=0) is None
