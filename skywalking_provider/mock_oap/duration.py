"""OAP's durations: text in the OAP's zone becomes buckets, or the error a real OAP gives.

Sources: the recorded answers, and DurationUtils of OAP 9.2 to 10.1 (Joda time).
"""

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from skywalking_provider.mock_oap.clock import MINUTE
from skywalking_provider.mock_oap.java_format import ILLEGAL_ARGUMENT, UNEXPECTED, JavaError
from skywalking_provider.mock_oap.versions import OapVersion

MAX_STEPS: Final = 500
_EXCERPT: Final = 32


class Step(StrEnum):
    """The width of a bucket."""

    DAY = "DAY"
    HOUR = "HOUR"
    MINUTE = "MINUTE"
    SECOND = "SECOND"

    @property
    def width(self) -> timedelta:
        """The width in time (a day of 24 hours)."""
        return _WIDTH[self]

    @property
    def minutes(self) -> int:
        """How many minutes a bucket has; 0 for a second."""
        return self.width // MINUTE


_WIDTH: Final = {
    Step.DAY: timedelta(days=1),
    Step.HOUR: timedelta(hours=1),
    Step.MINUTE: MINUTE,
    Step.SECOND: timedelta(seconds=1),
}
_LABEL: Final = {Step.DAY: "%Y%m%d", Step.HOUR: "%Y%m%d%H", Step.MINUTE: "%Y%m%d%H%M", Step.SECOND: "%Y%m%d%H%M%S"}
_PATTERN: Final = {
    Step.DAY: "y-M-d",
    Step.HOUR: "y-M-d H",
    Step.MINUTE: "y-M-d Hm",
    Step.SECOND: "y-M-d Hms",
}


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """One point of a duration: its local time, which names it. In a repeated hour two instants share one bucket."""

    local: datetime
    step: Step
    zone: tzinfo

    @property
    def label(self) -> str:
        """The time bucket's number, e.g. 202611232345."""
        return self.local.strftime(_LABEL[self.step])

    @property
    def millis(self) -> int:
        """The start as milliseconds since 1970."""
        return round(self.local.replace(tzinfo=self.zone).timestamp() * 1000)

    def minutes(self) -> Iterator[datetime]:
        """The starts of the minutes in this bucket, in UTC; none for a second."""
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
    """A checked duration: its buckets from start to end, both included."""

    start: datetime
    step: Step
    buckets: tuple[TimeBucket, ...]
    zone: tzinfo
    oap_version: OapVersion

    def with_earlier_start(self, steps: int) -> "Duration":
        """The same end, with a start so many steps earlier."""
        start = _shift(self.start, self.step, -steps, self.zone)
        return _build_duration(start, self.buckets[-1].label, self.step, self.zone, self.oap_version)


def parse_duration(text: Mapping[str, str], zone: tzinfo, oap_version: OapVersion) -> Duration:
    """The buckets of a GraphQL `Duration`; JavaError as OAP words it."""
    step = Step(text["step"])
    start, end = (_parse_local_time(text[key], step, zone, oap_version) for key in ("start", "end"))
    return _build_duration(start, end.strftime(_LABEL[step]), step, zone, oap_version)


def _build_duration(start: datetime, end: str, step: Step, zone: tzinfo, oap_version: OapVersion) -> Duration:
    buckets = [TimeBucket(start, step, zone)]
    # OAP walks from the start until it meets the end; where it never does, the limit of steps ends the walk.
    while buckets[-1].label != end or (len(buckets) == 1 and oap_version.rejects_single_bucket):
        if len(buckets) > MAX_STEPS:
            raise JavaError(
                "Duration data error, the range between the start time and the end time "
                f"can't exceed {MAX_STEPS} {step.lower()}s",
                UNEXPECTED,
            )
        buckets.append(TimeBucket(_shift(start, step, len(buckets), zone), step, zone))
    return Duration(start, step, tuple(buckets), zone, oap_version)


def _shift(start: datetime, step: Step, count: int, zone: tzinfo) -> datetime:
    if step is Step.DAY:
        return start + count * step.width
    # Hours and less move on the world's time, days on the calendar's.
    moved = (start.replace(tzinfo=zone).astimezone(UTC) + count * step.width).astimezone(zone)
    return moved.replace(tzinfo=None, fold=0)


def _parse_local_time(text: str, step: Step, zone: tzinfo, oap_version: OapVersion) -> datetime:
    if oap_version.time_is_parsed_as_number:
        text = text.replace("-", "").replace(" ", "")
        if not re.fullmatch(r"\d{1,18}", text):
            raise JavaError(f'For input string: "{text}"', "java.lang.NumberFormatException")
        fields = _scan(text, _PATTERN[step].replace("-", "").replace(" ", ""), {"y": 4})
    else:
        fields = _scan(text, _PATTERN[step], {"y": 9})
    local = _build_datetime(text, fields)
    if _is_in_gap(local, zone):
        raise JavaError(
            f'Cannot parse "{text}": Illegal instant due to time zone offset transition '
            f"(daylight savings time 'gap'): {local.isoformat(timespec='milliseconds')} ({zone})",
            "org.joda.time.IllegalInstantException",
        )
    return local


def _scan(text: str, pattern: str, digits: Mapping[str, int]) -> dict[str, int]:
    position, fields = 0, dict[str, int]()
    for part in pattern:
        if part.isalpha():
            found = re.match(rf"[0-9]{{1,{digits.get(part, 2)}}}", text[position:])
            if found is None:
                raise _malformed(text, position)
            fields[part] = int(found[0])
            position += len(found[0])
        elif text[position : position + 1] != part:
            raise _malformed(text, position)
        else:
            position += 1
    if position < len(text):
        raise _malformed(text, position)
    return fields


def _malformed(text: str, position: int) -> JavaError:
    shown = text if len(text) <= position + _EXCERPT + 3 else text[: position + _EXCERPT] + "..."
    message = f'Invalid format: "{shown}"'
    if position >= len(text) > 0:
        message += " is too short"
    elif position > 0:
        message += f' is malformed at "{shown[position:]}"'
    return JavaError(message, ILLEGAL_ARGUMENT)


_RANGES: Final = (
    ("M", "monthOfYear", 1, 12),
    ("d", "dayOfMonth", 1, 31),
    ("H", "hourOfDay", 0, 23),
    ("m", "minuteOfHour", 0, 59),
    ("s", "secondOfMinute", 0, 59),
)


def _build_datetime(text: str, fields: Mapping[str, int]) -> datetime:
    year = min(max(fields["y"], 1), 9999)
    for key, name, low, high in _RANGES:
        if key not in fields:
            continue
        top = calendar.monthrange(year, fields["M"])[1] if key == "d" else high
        if not low <= fields[key] <= top:
            raise JavaError(
                f'Cannot parse "{text}": Value {fields[key]} for {name} must be in the range [{low},{top}]',
                "org.joda.time.IllegalFieldValueException",
            )
    return datetime(  # noqa: DTZ001 -- local time of the OAP's zone, kept apart from the zone
        year, fields["M"], fields["d"], fields.get("H", 0), fields.get("m", 0), fields.get("s", 0)
    )


def _is_in_gap(local: datetime, zone: tzinfo) -> bool:
    there_and_back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    return there_and_back != local
