"""The mock's own clock and zone: it may run faster than the world, and stand where a test puts it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUTE: Final = timedelta(minutes=1)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")


def utc_now() -> datetime:
    """The world's time."""
    return datetime.now(UTC)


def parse_zone(text: str) -> tzinfo:
    """A zone from `+0800`, `-0330` or an IANA name such as `Asia/Kolkata`; ValueError says what is accepted."""
    if match := _OFFSET.fullmatch(text):
        sign = -1 if match[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(match[2]), minutes=int(match[3])))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValueError(f"unknown zone {text!r}: write an offset such as +0545, or an IANA name") from unknown


class ManualClock:
    """A clock that stands still until it is moved; give it to `MockOap(clock=...)`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forwards."""
        self._now += timedelta(seconds=seconds)

    def set(self, now: datetime) -> None:
        """Stand at another instant."""
        self._now = now


class MockClock:
    """Reads a source of time, runs `speed` times as fast from its start on, and shows the OAP's zone."""

    __slots__ = ("_source", "_speed", "_start", "zone")

    def __init__(self, source: Callable[[], datetime], zone: tzinfo, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be above 0, not {speed}")
        self._source = source
        self._speed = speed
        self._start = source()
        if self._start.tzinfo is None:
            raise ValueError("the clock must give aware times (with a zone)")
        self.zone = zone

    @property
    def start(self) -> datetime:
        """The whole minute in which the clock started, in UTC: minute 0 of a scenario."""
        return self._start.astimezone(UTC).replace(second=0, microsecond=0)

    def now(self) -> datetime:
        """The mock's time, in UTC."""
        return (self._start + (self._source() - self._start) * self._speed).astimezone(UTC)

    def offset_text(self) -> str:
        """The zone as `getTimeInfo` writes it now, e.g. +0545."""
        return self.now().astimezone(self.zone).strftime("%z")[:5]

    def millis(self) -> int:
        """Now as milliseconds since 1970."""
        return round(self.now().timestamp() * 1000)
