"""The one line that a measurement says about itself: most useful fact first, a stable reason code before it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from skywalking_provider.errors import Reason
from skywalking_provider.judge import Verdict
from skywalking_provider.model import Window
from skywalking_provider.series import Bucket, Series

MAX_MESSAGE = 1024
_MAX_CONDITION = 240
_MAX_SERIES = 3
_MAX_BUCKETS = 8


def message_of(verdict: Verdict) -> str:
    """The line of a verdict; empty for a plain success.

    A condition that cannot be evaluated is told in Argo's own words, to the letter: people search for them.
    """
    if verdict.reason in (None, Reason.CONDITION_ERROR):
        return bounded(verdict.because)
    return bounded(f"{verdict.reason} {verdict.because}")


def measured(series: Sequence[Series], wanted: str, window: Window, backend: str) -> str:
    """What was measured, what was wanted of it, and where it comes from.

    Args:
        series: The reads of the measurement.
        wanted: The conditions, as `conditions_of` writes them.
        window: The window read, in the OAP's zone.
        backend: Name of the backend.
    """
    facts = ", ".join(_facts(one) for one in series[:_MAX_SERIES]) or "result"
    if len(series) > _MAX_SERIES:
        facts += f" and {len(series) - _MAX_SERIES} more"
    return f"{facts}, {wanted} · {_buckets(series, window)} {window_text(window)} · backend {backend}"


def nothing_in(series: Sequence[Series], window: Window, backend: str) -> str:
    """Which reads have no value at all, and where was looked."""
    names = ", ".join(one.name for one in series[:_MAX_SERIES])
    return f"no value of {names} in {window.buckets} buckets {window_text(window)} · backend {backend}"


def conditions_of(success: str, failure: str) -> str:
    """The conditions as a person says them."""
    parts = []
    if success:
        parts.append(f'wanted "{_short(success)}"')
    if failure:
        parts.append(f'not wanted "{_short(failure)}"')
    return ", ".join(parts) or "no condition"


def window_text(window: Window) -> str:
    """A window in the OAP's zone: 09:14–09:26 +0000."""
    return f"{_clock(window.start)}–{_clock(window.end)} {window.end.strftime('%z')}"


def bounded(line: str) -> str:
    """One line of at most MAX_MESSAGE characters."""
    line = " ".join(line.split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _facts(series: Series) -> str:
    if len(series.buckets) <= _MAX_BUCKETS:
        return f"{series.name} {' '.join(_bucket(bucket) for bucket in series.buckets)}"
    numbers = [bucket for bucket in series.present if not isinstance(bucket, str)]
    if not numbers:
        return f"{series.name} {len(series.present)} values"
    return f"{series.name} {_bucket(min(numbers))}..{_bucket(max(numbers))}"


def _buckets(series: Sequence[Series], window: Window) -> str:
    counts = [len(one.present) for one in series if len(one.buckets) == window.buckets]
    present = min(counts, default=window.buckets)
    return f"{present} of {window.buckets} buckets" if present < window.buckets else f"{window.buckets} buckets"


def _bucket(bucket: Bucket) -> str:
    if bucket is None:
        return "–"
    return bucket if isinstance(bucket, str) else f"{bucket:.10g}"


def _clock(instant: datetime) -> str:
    return instant.strftime("%H:%M")


def _short(condition: str) -> str:
    line = " ".join(condition.split())
    return line if len(line) <= _MAX_CONDITION else line[: _MAX_CONDITION - 1] + "…"
