"""Windows and the requests for them. Pure: the clock is an argument."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from skywalking_provider.model import Window
from skywalking_provider.spec.common import MAX_BUCKETS, MINUTE

_in_one_order = json.JSONEncoder(sort_keys=True).encode
_DURATION = "duration"
_BUCKET_FORMAT = "%Y-%m-%d %H%M"  # SkyWalking's, at MINUTE step


@dataclass(frozen=True, slots=True)
class Read:
    """One request to an OAP: a GraphQL text and its variables.

    Attributes:
        query: The text.
        variables: Its variables.
        window: What alone it reads, of buckets; None where the text may read others.
    """

    query: str
    variables: Mapping[str, object]
    window: Window | None = field(default=None, compare=False)

    @property
    def question(self) -> str:
        """The same for identical requests, and for no others."""
        return f"{self.query}\0{_in_one_order(self.variables)}"

    @property
    def topic(self) -> str:
        """The same for a question in all its windows."""
        return Read(self.query, {key: value for key, value in self.variables.items() if key != _DURATION}).question


def closed_window(
    length: timedelta, settle: timedelta, started_at: datetime, now: datetime, not_before: datetime | None = None
) -> Window:
    """The window of a measurement: closed buckets only, so that no bucket can still change.

    It starts `length` before the last bucket that was closed when the measurement started, and ends with the last
    bucket that is closed now: a measurement that waits reads on.

    Args:
        length: Whole minutes.
        settle: How long after its end a bucket counts as closed.
        started_at: When the measurement began, on the OAP's clock.
        now: The OAP's clock.
        not_before: No bucket that began earlier is read; the window is empty until the first later one is closed.
    """
    zone = now.tzinfo
    started_at, now = started_at.astimezone(UTC), now.astimezone(UTC)  # Python's arithmetic is right in UTC only
    first_end = _floor(started_at - settle)
    end = max(first_end, _floor(now - settle))
    start = max(first_end - length, end - MAX_BUCKETS * MINUTE)
    if not_before is not None:
        start = max(start, _ceiling(not_before.astimezone(UTC)))
        end = max(start, end)
    return _on_one_clock(Window(start.astimezone(zone), end.astimezone(zone)))


def argo_window(length: timedelta, now: datetime) -> Window:
    """The built-in provider's window: from `now - length` to `now`, the unfinished minute included.

    Source: argo-rollouts metricproviders/skywalking/skywalking.go, Run.

    Args:
        length: Any duration.
        now: Our own clock in our own zone, as the built-in uses the controller's.
    """
    zone, now = now.tzinfo, now.astimezone(UTC)
    return Window(_floor(now - length).astimezone(zone), (_floor(now) + MINUTE).astimezone(zone))


def next_bucket(settle: timedelta, now: datetime) -> datetime:
    """When the next bucket will be closed: the first moment at which the same question can have another answer."""
    return _floor(now.astimezone(UTC) - settle) + MINUTE + settle


def readable_at(bucket_start: datetime, settle: timedelta) -> datetime:
    """When the first bucket that does not begin before an instant will be closed."""
    return _ceiling(bucket_start.astimezone(UTC)) + MINUTE + settle


def duration_variable(window: Window) -> dict[str, str]:
    """A window as SkyWalking's `Duration` input, in the zone that the window carries; both ends are inclusive."""
    last = (window.end.astimezone(UTC) - window.step).astimezone(window.end.tzinfo)
    return {
        "start": window.start.strftime(_BUCKET_FORMAT),
        "end": last.strftime(_BUCKET_FORMAT),
        "step": "MINUTE",
    }


def _on_one_clock(window: Window) -> Window:
    """Where a clock was put back inside a window, its end has an earlier name than its start: OAP refuses that.

    Such a window starts at the change. (OAP itself keeps both hours of that name in the same buckets.)
    """
    start, last = window.start, (window.end.astimezone(UTC) - window.step).astimezone(window.end.tzinfo)
    while start.replace(tzinfo=None) > last.replace(tzinfo=None) and window.buckets:
        start = (start.astimezone(UTC) + window.step).astimezone(start.tzinfo)
        if start.astimezone(UTC) > last.astimezone(UTC):
            break
    return Window(start, window.end, window.step)


def _floor(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def _ceiling(instant: datetime) -> datetime:
    floor = _floor(instant)
    return floor if floor == instant else floor + MINUTE
