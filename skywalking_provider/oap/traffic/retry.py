"""Retry with backoff and jitter: whether and when a failed request is sent again. No I/O: its inputs are arguments."""

from typing import Final

from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.oap.failure_policy import FAILURE_POLICIES, Retry

_FIRST_DELAY_SECONDS: Final = 0.1  # each next delay is twice as long
_MAX_DELAY_SECONDS: Final = 2.0
_MIN_ATTEMPT_SECONDS: Final = 0.25  # an attempt with less time left is not worth a request


def retry_delay(error: BaseException, attempt: int, *, remaining: float, timeout: float, jitter: float) -> float | None:
    """Return the seconds before the next attempt, or None if there is none.

    The delay is an exponential backoff with jitter. A longer Retry-After of the response replaces it.

    Args:
        error: Failure of the last attempt.
        attempt: Number of attempts so far.
        remaining: Seconds until the deadline.
        timeout: Seconds that one attempt may take.
        jitter: Random number from 0 to 1, so that requests that failed together are not repeated together.
    """
    if not isinstance(error, BackendUnavailableError):
        return None
    retry = FAILURE_POLICIES[error.kind].retry
    if retry is Retry.NEVER or (retry is Retry.RETRY_AFTER and error.retry_after is None):
        return None
    backoff = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1)) * (0.5 + jitter / 2)
    delay = max(backoff, error.retry_after or 0.0)
    needed = timeout if retry is Retry.BACKOFF_FULL_TIMEOUT else _MIN_ATTEMPT_SECONDS
    return delay if delay + needed <= remaining else None
