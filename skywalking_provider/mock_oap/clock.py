"""Clock and time zone of the mock: the clock may run faster than real time, or be moved by a test."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE: Final = timedelta(minutes=1)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def parse_zone(text: str) -> tzinfo:
    """Parse an offset such as `+0800` or `-0330`, or an IANA name such as `Asia/Kolkata`.

    Raises:
        ValueError: The zone is unknown.
    """
    if match := _OFFSET.fullmatch(text):
        sign = -1 if match[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(match[2]), minutes=int(match[3])))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValueError(f"unknown time zone {text!r}. Write an offset such as +0545, or an IANA name.") from unknown


class ManualClock:
    """A clock that only moves when a test moves it; pass it as `MockOap(clock=...)`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forwards."""
        self._now += timedelta(seconds=seconds)

    def set(self, now: datetime) -> None:
        """Move the clock to an instant."""
        self._now = now


class MockClock:
    """Clock of the OAP: runs `speed` times as fast as its source, and has the time zone of the OAP."""

    __slots__ = ("_source", "_speed", "_start", "zone")

    def __init__(self, source: Callable[[], datetime], zone: tzinfo, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the speed of the clock must be above 0: {speed}")
        self._source = source
        self._speed = speed
        self._start = source()
        if self._start.tzinfo is None:
            raise ValueError("the clock must return aware times (with a time zone)")
        self.zone = zone

    @property
    def start(self) -> datetime:
        """The whole minute in which the clock started, in UTC: minute 0 of a scenario."""
        return self._start.astimezone(UTC).replace(second=0, microsecond=0)

    def now(self) -> datetime:
        """Return the time of the mock, in UTC."""
        return (self._start + (self._source() - self._start) * self._speed).astimezone(UTC)

    def offset_text(self) -> str:
        """Return the current offset as in `getTimeInfo`, for example +0545."""
        return self.now().astimezone(self.zone).strftime("%z")[:5]

    def millis(self) -> int:
        """Return the time as milliseconds since 1970."""
        return round(self.now().timestamp() * 1000)
