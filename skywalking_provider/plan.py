"""What to ask, and for which window. Pure: the clock is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skywalking_provider.model import Window
from skywalking_provider.spec import Spec
from skywalking_provider.spec.block import MAX_BUCKETS, MINUTE

_BUCKET_FORMAT = "%Y-%m-%d %H%M"  # SkyWalking's, at MINUTE step


@dataclass(frozen=True, slots=True)
class Read:
    """One request to an OAP: a GraphQL text and its variables."""

    query: str
    variables: Mapping[str, object]


def closed_window(length: timedelta, settle: timedelta, started_at: datetime, now: datetime) -> Window:
    """The window of a measurement: closed buckets only, so that no bucket can still change.

    It starts `length` before the last bucket that was closed when the measurement started, and ends with the last
    bucket that is closed now: a measurement that waits reads on.

    Args:
        length: Whole minutes.
        settle: How long after its end a bucket counts as closed.
        started_at: When the measurement began, on the OAP's clock.
        now: The OAP's clock.
    """
    zone = now.tzinfo
    started_at, now = started_at.astimezone(UTC), now.astimezone(UTC)  # Python's arithmetic is right in UTC only
    first_end = _floor(started_at - settle)
    end = max(first_end, _floor(now - settle))
    start = max(first_end - length, end - MAX_BUCKETS * MINUTE)
    return Window(start.astimezone(zone), end.astimezone(zone))


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


def read_for(spec: Spec, window: Window) -> Read:
    """The request of a block for a window: its own query, and `$duration` as the built-in provider gives it."""
    return Read(spec.query, {"duration": duration_variable(window)})


def duration_variable(window: Window) -> dict[str, str]:
    """A window as SkyWalking's `Duration` input, in the zone that the window carries; both ends are inclusive."""
    last = (window.end.astimezone(UTC) - window.step).astimezone(window.end.tzinfo)
    return {
        "start": window.start.strftime(_BUCKET_FORMAT),
        "end": last.strftime(_BUCKET_FORMAT),
        "step": "MINUTE",
    }


def _floor(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
