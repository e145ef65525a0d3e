"""Message of a measurement in one line: reason code, then the most useful fact, then its origin. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.errors import Reason
from skywalking_provider.model import Window
from skywalking_provider.oap.api.server_time import describe_clock_skew
from skywalking_provider.queries.sample import Sample
from skywalking_provider.support.instants import format_time

MAX_MESSAGE = 1024
"""Characters of a message. Argo keeps the last ten measurements of a metric in one AnalysisRun."""

_MAX_CONDITION = 240
_MAX_SERIES = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a sample.

    Attributes:
        window: Window of the sample in the OAP's time zone.
        backend: Name of the backend.
        now: Local clock. A window of another day is shown with its date.
        clock_offset: Clock of the OAP minus the local clock.
    """

    window: Window
    backend: str
    now: datetime
    clock_offset: timedelta = timedelta(0)

    def describe(self) -> tuple[str, ...]:
        """Return the window, the clock of the OAP if it is wrong, and the backend."""
        skew = describe_clock_skew(self.clock_offset)
        return (
            format_window(self.window, self.now),
            f"the OAP's clock is {skew}" if skew else "",
            f"backend {self.backend}",
        )


def message_for(verdict: Verdict) -> str:
    """Return the message of a verdict; empty for a plain success.

    A condition that cannot be evaluated is described by Argo's own error text, verbatim: users search for it.
    """
    if verdict.reason in (None, Reason.CONDITION_ERROR):
        return truncate_message(verdict.detail)
    return truncate_message(f"{verdict.reason} {verdict.detail}")


def describe_sample(sample: Sample, conditions: str, subject: str, origin: Origin) -> str:
    """Return the measured value, the conditions on it, and its origin.

    Args:
        sample: Collected sample.
        conditions: Conditions as `format_conditions` returns them.
        subject: Measured entities; empty if the block names them itself.
        origin: Origin of the sample.
    """
    return join_parts(f"{sample.summary}, {conditions}", _coverage(sample, origin.window), subject, *origin.describe())


def no_data(sample: Sample, subject: str, origin: Origin, cause: str = "") -> str:
    """Return the names of the series without data, the likely cause if it is known, and the origin."""
    names = ", ".join(one.name for one in sample.empty_series[:_MAX_SERIES])
    missing = f"no value of {names}" if names else "no minute in which canary and stable have calls"
    return join_parts(f"{missing} in {_format_buckets(origin.window.buckets)}", cause, subject, *origin.describe())


def only_earlier_pods(pods: Sequence[str], origin: Origin, cause: str = "") -> str:
    """Return that the calls of a window are those of an earlier version's pods, and the origin."""
    names = ", ".join(pods[:_MAX_SERIES]) + (f" and {len(pods) - _MAX_SERIES} more" if len(pods) > _MAX_SERIES else "")
    return join_parts(f"only pods of an earlier version have calls: {names}", cause, *origin.describe())


def too_few_calls(sample: Sample, min_calls: int, subject: str, origin: Origin, cause: str = "") -> str:
    """Return the number of calls, the required number, the likely cause if it is known, and the origin."""
    calls = f"{format_calls(sample.calls or 0)}, wanted {format_thousands(min_calls)} (minCalls)"
    return join_parts(calls, cause, subject, *origin.describe())


def format_conditions(success: str, failure: str) -> str:
    """Return the conditions for a message."""
    parts = []
    if success:
        parts.append(f'wanted "{_shorten(success)}"')
    if failure:
        parts.append(f'not wanted "{_shorten(failure)}"')
    return ", ".join(parts) or "no condition"


def format_window(window: Window, now: datetime) -> str:
    """Return a window in the OAP's time zone: 09:14–09:26 +0000; with the dates unless both are today's."""
    times = (window.start, window.end)
    shown = [format_time(one, now, "%H:%M") for one in times]
    if len({len(one) for one in shown}) > 1:
        shown = [f"{one:%Y-%m-%d %H:%M}" for one in times]
    elif times[0].date() == times[1].date():
        shown[1] = f"{times[1]:%H:%M}"
    return f"{shown[0]}–{shown[1]} {window.end:%z}"


def truncate_message(line: str) -> str:
    """Return one printable line of at most MAX_MESSAGE characters."""
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    line = " ".join(line.split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def join_parts(*parts: str) -> str:
    """Join the parts of a message, without empty ones."""
    return " · ".join(part for part in parts if part)


def format_calls(number: int) -> str:
    """Return a number of calls: "1 840 calls"."""
    return f"{format_thousands(number)} {'call' if number == 1 else 'calls'}"


def format_thousands(number: int) -> str:
    """Return a number with its thousands apart: "1 840"."""
    return f"{number:,}".replace(",", " ")


def _coverage(sample: Sample, window: Window) -> str:
    calls = "" if sample.calls is None else f"{format_calls(sample.calls)} in "
    if sample.buckets_with_data is None or sample.buckets_with_data >= window.buckets:
        return f"{calls}{_format_buckets(window.buckets)}"
    return f"{calls}{sample.buckets_with_data} of {_format_buckets(window.buckets)}"


def _format_buckets(number: int) -> str:
    return "1 bucket" if number == 1 else f"{number} buckets"


def _shorten(condition: str) -> str:
    line = " ".join(condition.split())
    return line if len(line) <= _MAX_CONDITION else line[: _MAX_CONDITION - 1] + "…"
