"""Verdict of alarms without conditions, and its message. No I/O."""

from typing import Final

from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.message import Origin, join_parts
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase
from skywalking_provider.queries.alarms.report import AlarmReport, SelectedAlarm
from skywalking_provider.support.instants import format_time
from skywalking_provider.support.printable import printable_line

_MAX_RULE: Final = 80  # characters of the name of a rule
_MAX_TEXT: Final = 160  # characters of an alarm's message


def alarm_verdict(report: AlarmReport, summary: str, subject: str, origin: Origin, wait_budget: WaitBudget) -> Verdict:
    """Return the verdict: any alarm that fired in the window fails the measurement.

    An alarm from before the window is waited for: a rule that still holds raises it again after its silence period.

    Args:
        report: Alarms of the measurement.
        summary: Numbers of alarms in words.
        subject: Measured entities; empty if the block names them itself.
        origin: Origin of the sample.
        wait_budget: Time during which the end of an alarm is waited for.
    """
    newest = report.newest
    if newest is None:
        return Verdict(Phase.SUCCESSFUL)
    began = format_time(newest.began_at(origin.window.end.tzinfo), origin.now)
    lead = f"{describe_alarm(newest)} at {began}"
    if report.fired:
        return Verdict(Phase.FAILED, Reason.ALARM_FIRED, join_parts(lead, summary, subject, *origin.describe()))
    cause = (
        "began before the window and has not recovered"
        if report.reports_recovery
        else "began before the window, in the silence period of its rule"
    )
    return verdicts.on_firing(join_parts(lead, cause, summary, subject, *origin.describe()), wait_budget)


def describe_alarm(one: SelectedAlarm) -> str:
    """Return the rule and the message of an alarm in one bounded, printable line."""
    message = _shorten(one.alarm.message, _MAX_TEXT)
    if not one.rule or one.rule in one.alarm.message:
        return message or "an alarm without a message"
    return f"{_shorten(one.rule, _MAX_RULE)}: {message}"


def _shorten(text: str, limit: int) -> str:
    line = " ".join(printable_line(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
