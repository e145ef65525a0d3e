"""The one line that a measurement says about itself: most useful fact first, a stable reason code before it. Pure."""

from datetime import datetime

from skywalking_provider.errors import Reason
from skywalking_provider.forms.sample import Sample
from skywalking_provider.judge import Verdict
from skywalking_provider.model import Window

MAX_MESSAGE = 1024
_MAX_CONDITION = 240
_MAX_SERIES = 3


def message_of(verdict: Verdict) -> str:
    """The line of a verdict; empty for a plain success.

    A condition that cannot be evaluated is told in Argo's own words, to the letter: people search for them.
    """
    if verdict.reason in (None, Reason.CONDITION_ERROR):
        return bounded(verdict.because)
    return bounded(f"{verdict.reason} {verdict.because}")


def measured(sample: Sample, wanted: str, of: str, window: Window, backend: str) -> str:
    """What was measured, what was wanted of it, and where it comes from.

    Args:
        sample: What was read.
        wanted: The conditions, as `conditions_of` writes them.
        of: Whom it is of, where the block does not say it all.
        window: The window read, in the OAP's zone.
        backend: Name of the backend.
    """
    return _joined(f"{sample.told}, {wanted}", _coverage(sample, window), of, window_text(window), f"backend {backend}")


def nothing_in(sample: Sample, of: str, window: Window, backend: str, cause: str = "") -> str:
    """Which reads have no value at all, where was looked, and the likely cause where one is known."""
    names = ", ".join(one.name for one in sample.silent[:_MAX_SERIES])
    what = f"no value of {names} in {_buckets(window.buckets)}"
    return _joined(what, cause, of, window_text(window), f"backend {backend}")


def too_few(sample: Sample, wanted: int, of: str, window: Window, backend: str) -> str:
    """How many calls there were, and how many are wanted."""
    calls = f"{_count(sample.calls or 0)} calls, wanted {_count(wanted)} (minCalls)"
    return _joined(calls, of, window_text(window), f"backend {backend}")


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
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    line = " ".join(line.split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _coverage(sample: Sample, window: Window) -> str:
    calls = "" if sample.calls is None else f"{_count(sample.calls)} calls in "
    if sample.covered is None or sample.covered >= window.buckets:
        return f"{calls}{_buckets(window.buckets)}"
    return f"{calls}{sample.covered} of {_buckets(window.buckets)}"


def _buckets(number: int) -> str:
    return "1 bucket" if number == 1 else f"{number} buckets"


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _clock(instant: datetime) -> str:
    return instant.strftime("%H:%M")


def _short(condition: str) -> str:
    line = " ".join(condition.split())
    return line if len(line) <= _MAX_CONDITION else line[: _MAX_CONDITION - 1] + "…"
