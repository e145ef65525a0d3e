"""Instants that other programs name: their bounds, and their texts in messages.

The bounds exist so that date arithmetic cannot leave Python's range. Python's dates end in the years 1 and 9999. An
instant between the bounds stays far from both, whatever duration (7 days at most) and offset of an OAP's clock (from
the years 2000 to 2200) is added to it or subtracted from it.
"""

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

MAX_AHEAD = timedelta(days=2)
"""How far an instant of the past may be ahead of the local clock: a clock with the wrong date, and a wrong zone."""

_END_SECONDS = int(LATEST.timestamp())
_SECOND = 10**9  # nanoseconds


def instant_from_epoch(seconds: int, nanoseconds: int) -> datetime | None:
    """Return the instant that many seconds after 1970 in UTC; None if it is not a possible one."""
    # Not `in range(...)`, which compares a number that is not an int with each number of the range.
    if not (0 <= seconds < _END_SECONDS and 0 <= nanoseconds < _SECOND):
        return None
    return EARLIEST + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def parse_instant(text: str) -> datetime | None:
    """Parse an instant in ISO 8601 with its offset; None if the text is not one, or not a possible one."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            return None
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if EARLIEST <= instant < LATEST else None


def format_time(instant: datetime, now: datetime, pattern: str = "%H:%M:%S") -> str:
    """Return the time of an instant in its zone, with the date unless it is today's in that zone.

    Args:
        instant: Instant to show.
        now: Local clock.
        pattern: Format of the time.
    """
    today = instant.date() == now.astimezone(instant.tzinfo).date()
    return instant.strftime(pattern if today else f"%Y-%m-%d {pattern}")
