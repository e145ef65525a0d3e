"""Whether a request that failed is worth another attempt, and after how long. Pure: time and chance are arguments."""

from typing import Final

from skywalking_provider.errors import Away, BackendAway

_FIRST: Final = 0.1  # seconds of the first pause; each next one is twice as long
_LONGEST: Final = 2.0
_USEFUL: Final = 0.25  # seconds that an attempt needs at least, where the last one failed at once


def pause_before_next(
    error: BaseException, attempt: int, *, remaining: float, timeout: float, chance: float
) -> float | None:
    """How long to wait before the next attempt; None where there is none.

    Args:
        error: How the last one failed. Only what the OAP did not answer may be answered next time.
        attempt: How many there were.
        remaining: Seconds until the deadline.
        timeout: Seconds that one attempt may take. What was late once needs all of them again.
        chance: From 0 to 1, so that many who failed together do not come back together.
    """
    if not isinstance(error, BackendAway) or error.how is Away.OTHER:
        return None
    pause = min(_LONGEST, _FIRST * 2 ** (attempt - 1)) * (0.5 + chance / 2)
    needed = timeout if error.how is Away.LATE else _USEFUL
    return pause if pause + needed <= remaining else None
