"""Whether a request that failed is worth another attempt, and after how long. Pure: time and chance are arguments."""

from typing import Final

from skywalking_provider.errors import BackendUnavailableError, FailureKind

_FIRST_DELAY_SECONDS: Final = 0.1  # seconds of the first pause; each next one is twice as long
_MAX_DELAY_SECONDS: Final = 2.0
_MIN_ATTEMPT_SECONDS: Final = 0.25  # seconds that an attempt needs at least, where the last one failed at once


def retry_delay(error: BaseException, attempt: int, *, remaining: float, timeout: float, jitter: float) -> float | None:
    """How long to wait before the next attempt; None where there is none.

    Args:
        error: How the last one failed. Only what the OAP did not answer may be answered next time.
        attempt: How many there were.
        remaining: Seconds until the deadline.
        timeout: Seconds that one attempt may take. What was late once needs all of them again.
        jitter: From 0 to 1, so that many who failed together do not come back together.
    """
    if not isinstance(error, BackendUnavailableError) or error.kind is FailureKind.OTHER:
        return None
    pause = min(_MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1)) * (0.5 + jitter / 2)
    needed = timeout if error.kind is FailureKind.TIMEOUT else _MIN_ATTEMPT_SECONDS
    return pause if pause + needed <= remaining else None
