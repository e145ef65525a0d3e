"""Windows and the requests for them. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skywalking_provider.block import Spec
from skywalking_provider.block.common import MAX_BUCKETS, MINUTE
from skywalking_provider.model import Deadline, Run, Window
from skywalking_provider.oap import Backend


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
    return _skip_repeated_hour(Window(start.astimezone(zone), end.astimezone(zone)))


def argo_window(length: timedelta, now: datetime) -> Window:
    """The built-in provider's window: from `now - length` to `now`, the unfinished minute included.

    Source: argo-rollouts metricproviders/skywalking/skywalking.go, Run.

    Args:
        length: Any duration.
        now: Our own clock in our own zone, as the built-in uses the controller's.
    """
    zone, now = now.tzinfo, now.astimezone(UTC)
    return Window(_floor(now - length).astimezone(zone), (_floor(now) + MINUTE).astimezone(zone))


def next_bucket_closes_at(settle: timedelta, now: datetime) -> datetime:
    """When the next bucket will be closed: the first moment at which the same question can have another answer."""
    return _floor(now.astimezone(UTC) - settle) + MINUTE + settle


def first_bucket_closes_at(bucket_start: datetime, settle: timedelta) -> datetime:
    """When the first bucket that does not begin before an instant will be closed."""
    return _ceiling(bucket_start.astimezone(UTC)) + MINUTE + settle


def _skip_repeated_hour(window: Window) -> Window:
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


@dataclass(frozen=True, slots=True)
class MeasurementWindow:
    """The time of one question.

    Attributes:
        window: What is read, in the OAP's zone; empty where no bucket of the run has closed yet.
        next_bucket: When the same question can have another answer, on our clock.
        wait_starts_at: From when waiting for data is counted, on our clock: before, no bucket could be there.
    """

    window: Window
    next_bucket: datetime
    wait_starts_at: datetime


async def resolve_window(
    spec: Spec, backend: Backend, run: Run, started_at: datetime, now: datetime, deadline: Deadline
) -> MeasurementWindow:
    """Find the window of a measurement.

    Args:
        spec: The block.
        backend: Whose clock and zone count.
        run: Its start cuts the window, where the spec says so.
        started_at: When the measurement began, on our clock.
        now: Our clock.
        deadline: Until when.
    """
    if spec.argo_compatible:
        # The built-in provider knows neither OAP's clock nor its zone.
        return MeasurementWindow(
            argo_window(spec.window_length, now.astimezone()), now + timedelta(minutes=1), started_at
        )
    time = await backend.connection.time(deadline)
    settle = backend.connection.config.settle if spec.settle is None else spec.settle
    since = (run.started_at or run.created_at) if spec.starts_at_run else None
    not_before = time.to_server(min(since, now)) if since else None
    window = closed_window(spec.window_length, settle, time.to_server(started_at), time.to_server(now), not_before)
    first = time.to_local(first_bucket_closes_at(not_before, settle)) if not_before else started_at
    return MeasurementWindow(
        window,
        time.to_local(next_bucket_closes_at(settle, time.to_server(now))).astimezone(UTC),
        max(started_at, first.astimezone(UTC)),
    )
