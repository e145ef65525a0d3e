"""Durations: start and end as text in the time zone of the OAP, and the buckets between them.

Sources: the recorded responses, and DurationUtils of OAP 9.2 to 10.1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.clock import MINUTE
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError
from skywalking_provider.mock_oap.versions import OapVersion

MAX_STEPS: Final = 500


class Step(StrEnum):
    """Width of a bucket."""

    DAY = "DAY"
    HOUR = "HOUR"
    MINUTE = "MINUTE"
    SECOND = "SECOND"

    @property
    def width(self) -> timedelta:
        """The width as a time span; a day has 24 hours."""
        return _WIDTH[self]

    @property
    def minutes(self) -> int:
        """Number of minutes in a bucket; 0 for a second."""
        return self.width // MINUTE


_WIDTH: Final = {
    Step.DAY: timedelta(days=1),
    Step.HOUR: timedelta(hours=1),
    Step.MINUTE: MINUTE,
    Step.SECOND: timedelta(seconds=1),
}
_LABEL: Final = {Step.DAY: "%Y%m%d", Step.HOUR: "%Y%m%d%H", Step.MINUTE: "%Y%m%d%H%M", Step.SECOND: "%Y%m%d%H%M%S"}
_FORMAT: Final = {
    Step.DAY: "%Y-%m-%d",
    Step.HOUR: "%Y-%m-%d %H",
    Step.MINUTE: "%Y-%m-%d %H%M",
    Step.SECOND: "%Y-%m-%d %H%M%S",
}


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """One bucket of a duration, named by its local time. In a repeated hour two instants share a bucket."""

    local: datetime
    step: Step
    zone: tzinfo
    readable: bool = True
    """Whether the storage reads it. False for the days that a JDBC storage leaves out."""

    @property
    def label(self) -> str:
        """The number of the time bucket, for example 202611232345."""
        return self.local.strftime(_LABEL[self.step])

    @property
    def millis(self) -> int:
        """The start as milliseconds since 1970."""
        return round(self.local.replace(tzinfo=self.zone).timestamp() * 1000)

    def minutes(self) -> Iterator[datetime]:
        """Yield the starts of the minutes in this bucket, in UTC; none for a second."""
        if self.step is Step.SECOND:
            return
        at = self.local.replace(tzinfo=self.zone).astimezone(UTC)
        end = (self.local + self.step.width - MINUTE).replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        while at <= end:
            local = at.astimezone(self.zone)
            if local.strftime(_LABEL[self.step]) == self.label:
                yield at
            at += MINUTE


@dataclass(frozen=True, slots=True)
class Duration:
    """A valid duration: its buckets from start to end, inclusive."""

    start: datetime
    step: Step
    buckets: tuple[TimeBucket, ...]
    zone: tzinfo
    oap_version: OapVersion

    def with_earlier_start(self, steps: int) -> "Duration":
        """Return a duration with the same end and a start this many steps earlier."""
        start = _shift(self.start, self.step, -steps, self.zone)
        return _build_duration(start, self.buckets[-1].label, self.step, self.zone, self.oap_version)


def parse_duration(text: Mapping[str, str], zone: tzinfo, oap_version: OapVersion) -> Duration:
    """Return the buckets of a GraphQL `Duration`.

    Raises:
        DataFetchingError: A time is malformed or does not exist, or there are more than 500 buckets.
    """
    step = Step(text["step"])
    start, end = (_parse_local_time(text[key], step, zone) for key in ("start", "end"))
    return _build_duration(start, end.strftime(_LABEL[step]), step, zone, oap_version)


def parse_range(text: Mapping[str, str], zone: tzinfo, oap_version: OapVersion) -> tuple[datetime, datetime]:
    """Return the first instant of a GraphQL `Duration` and the first one after it, for reads of stored alarms.

    Raises:
        DataFetchingError: A time is malformed or does not exist.
    """
    step = Step(text["step"])
    start, end = (_parse_local_time(text[key], step, zone) for key in ("start", "end"))
    end += step.width
    if oap_version.reads_days_by_steps and end - start < timedelta(days=1):
        end = min(end, datetime.combine(start.date(), time()) + timedelta(days=1))
    return start.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC)


def _build_duration(start: datetime, end: str, step: Step, zone: tzinfo, oap_version: OapVersion) -> Duration:
    buckets = [TimeBucket(start, step, zone)]
    # OAP steps from the start until it reaches the end. If the end is before the start, the limit ends the loop.
    while buckets[-1].label != end or (len(buckets) == 1 and oap_version.rejects_single_bucket):
        if len(buckets) > MAX_STEPS:
            raise DataFetchingError(
                "Duration data error, the range between the start time and the end time "
                f"can't exceed {MAX_STEPS} {step.lower()}s"
            )
        buckets.append(TimeBucket(_shift(start, step, len(buckets), zone), step, zone))
    if oap_version.reads_days_by_steps and step is not Step.DAY:
        buckets = list(_mark_unread_days(buckets))
    return Duration(start, step, tuple(buckets), zone, oap_version)


def _mark_unread_days(buckets: list[TimeBucket]) -> Iterator[TimeBucket]:
    """Yield the buckets. Those of days that steps of 24 hours from the first bucket do not meet are not readable.

    Source: TableHelper.java before pull request 14061.
    """
    start, end = buckets[0].local, buckets[-1].local
    read = {(start + timedelta(days=count)).date() for count in range((end - start).days + 1)}
    for bucket in buckets:
        yield replace(bucket, readable=bucket.local.date() in read)


def _shift(start: datetime, step: Step, count: int, zone: tzinfo) -> datetime:
    if step is Step.DAY:
        return start + count * step.width
    # Hours and shorter steps are added in UTC, days in local time.
    moved = (start.replace(tzinfo=zone).astimezone(UTC) + count * step.width).astimezone(zone)
    return moved.replace(tzinfo=None, fold=0)


def _parse_local_time(text: str, step: Step, zone: tzinfo) -> datetime:
    try:
        local = datetime.strptime(text, _FORMAT[step])  # noqa: DTZ007 -- a local time; the zone is kept apart
    except ValueError as error:
        raise DataFetchingError(f'Invalid format: "{text}"') from error
    if _is_in_gap(local, zone):
        raise DataFetchingError(f'Cannot parse "{text}": {zone} skips this time when daylight saving time begins')
    return local


def _is_in_gap(local: datetime, zone: tzinfo) -> bool:
    there_and_back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    return there_and_back != local
