"""Windows of measurements. No I/O but for the OAP's clock; this process's clock is an argument."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from skywalking_provider.block import Spec
from skywalking_provider.block.common import MAX_BUCKETS, MINUTE
from skywalking_provider.model import Deadline, Run, Window
from skywalking_provider.oap import Backend


def closed_window(
    length: timedelta, settle: timedelta, started_at: datetime, now: datetime, not_before: datetime | None = None
) -> Window:
    """Return the window of a measurement. It has closed buckets only, because open ones can still change.

    The window starts `length` before the last bucket that was closed at the start of the measurement. It ends with the
    last bucket that is closed now, so the window of a waiting measurement grows.

    Args:
        length: Length in whole minutes.
        settle: Delay after its end at which a bucket counts as closed.
        started_at: Start of the measurement on the OAP's clock.
        now: Current time on the OAP's clock.
        not_before: Earliest start of a bucket. The window is empty until the first such bucket is closed.
    """
    zone = now.tzinfo
    started_at, now = (
        started_at.astimezone(UTC),
        now.astimezone(UTC),
    )  # only UTC is right across clock changes
    first_end = _floor(started_at - settle)
    end = max(first_end, _floor(now - settle))
    start = max(first_end - length, end - MAX_BUCKETS * MINUTE)
    if not_before is not None:
        start = max(start, _ceiling(not_before.astimezone(UTC)))
        end = max(start, end)
    return _skip_repeated_hour(Window(start.astimezone(zone), end.astimezone(zone)))


def argo_window(length: timedelta, now: datetime) -> Window:
    """Return the built-in provider's window: from `now - length` to `now`, including the unfinished minute.

    Source: argo-rollouts metricproviders/skywalking/skywalking.go, Run.

    Args:
        length: Any duration.
        now: Clock and time zone of this process. The built-in provider uses the controller's.
    """
    zone, now = now.tzinfo, now.astimezone(UTC)
    return Window(_floor(now - length).astimezone(zone), (_floor(now) + MINUTE).astimezone(zone))


def next_bucket_closes_at(settle: timedelta, now: datetime) -> datetime:
    """Return when the next bucket closes. Until then, the same request has the same response."""
    return _floor(now.astimezone(UTC) - settle) + MINUTE + settle


def first_bucket_closes_at(bucket_start: datetime, settle: timedelta) -> datetime:
    """Return when the first bucket closes that starts at an instant or later."""
    return _ceiling(bucket_start.astimezone(UTC)) + MINUTE + settle


def _skip_repeated_hour(window: Window) -> Window:
    """Move the start of a window to the change if the clock was put back inside it.

    OAP stores both hours of the same local time in the same buckets, and rejects a window whose end is before its
    start in local time.
    """
    start, last = window.start, (window.end.astimezone(UTC) - window.step).astimezone(window.end.tzinfo)
    while _put_back(start, last) and start.astimezone(UTC) <= last.astimezone(UTC):
        start = (start.astimezone(UTC) + window.step).astimezone(start.tzinfo)
    return Window(start, window.end, window.step)


def _put_back(start: datetime, last: datetime) -> bool:
    """Return whether the clock was put back between two instants."""
    return (start.utcoffset() or timedelta(0)) > (last.utcoffset() or timedelta(0))


def _floor(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


def _ceiling(instant: datetime) -> datetime:
    floor = _floor(instant)
    return floor if floor == instant else floor + MINUTE


@dataclass(frozen=True, slots=True)
class MeasurementWindow:
    """Window of one attempt.

    Attributes:
        window: Window in the OAP's time zone; empty if no bucket since the start of the run has closed yet.
        next_bucket: Time at which the next bucket closes, on this process's clock.
        wait_starts_at: Start of the wait budget on this process's clock. Before, no bucket could have closed.
        clock_offset: Clock of the OAP minus this process's clock; zero if the OAP's clock does not matter.
        run_start: Start of the run on the OAP's clock; None if it does not limit the window.
        start_delay: Time after it whose buckets are left out.
    """

    window: Window
    next_bucket: datetime
    wait_starts_at: datetime
    clock_offset: timedelta = timedelta(0)
    run_start: datetime | None = None
    start_delay: timedelta = timedelta(0)

    @property
    def buckets_since_start(self) -> int:
        """Number of closed buckets since the start of the run and the warm-up; 0 if it does not limit the window."""
        if self.run_start is None:
            return 0
        first = _ceiling((self.run_start + self.start_delay).astimezone(UTC))
        return max(0, (self.window.end.astimezone(UTC) - first) // self.window.step)

    def starting_at(self, start: datetime) -> "MeasurementWindow":
        """Return the same window from a later start; empty if no bucket after it has closed yet."""
        end = self.window.end if start.astimezone(UTC) < self.window.end.astimezone(UTC) else start
        return replace(self, window=Window(start, end, self.window.step))


async def resolve_window(
    spec: Spec, backend: Backend, run: Run, started_at: datetime, now: datetime, deadline: Deadline
) -> MeasurementWindow:
    """Resolve the window of a measurement on the OAP's clock.

    Args:
        spec: Spec of the block.
        backend: Backend whose clock and time zone apply.
        run: Run of the measurement. With `since: run`, its start limits the window.
        started_at: Start of the measurement on this process's clock.
        now: Clock of this process.
        deadline: Deadline for requesting the OAP's clock.
    """
    if spec.argo_compatible:
        # The built-in provider uses neither the clock nor the time zone of the OAP.
        return MeasurementWindow(
            argo_window(spec.window_length, now.astimezone()), now + timedelta(minutes=1), started_at
        )
    time = await backend.connection.time(deadline)
    settle = backend.connection.config.settle if spec.settle is None else spec.settle
    since = _run_start(spec, run, started_at)
    run_start = time.to_server(min(since, now)) if since else None
    not_before = run_start + spec.start_delay if run_start else None
    window = closed_window(spec.window_length, settle, time.to_server(started_at), time.to_server(now), not_before)
    first = time.to_local(first_bucket_closes_at(not_before, settle)) if not_before else started_at
    return MeasurementWindow(
        window,
        time.to_local(next_bucket_closes_at(settle, time.to_server(now))).astimezone(UTC),
        max(started_at, first.astimezone(UTC)),
        time.offset,
        run_start,
        spec.start_delay,
    )


def _run_start(spec: Spec, run: Run, started_at: datetime) -> datetime | None:
    """Return the start of the run if it limits the window of a block."""
    if not spec.starts_at_run:
        return None
    return run.started_at or run.created_at or (started_at if spec.judged else None)
