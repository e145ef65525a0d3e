"""List of the alarms of a measurement, for the history page and `check`. No I/O."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

from skywalking_provider.analysis.alarm_verdict import describe_alarm
from skywalking_provider.queries.alarms.report import AlarmReport, SelectedAlarm
from skywalking_provider.support.instants import format_time

MAX_ALARMS: Final = 10


class AlarmState(StrEnum):
    """State of an alarm in the window."""

    FIRING = "firing"
    """It may still last."""
    RECOVERED = "recovered"
    """The OAP reports its recovery."""
    FIRED = "fired"
    """It began in the window, and was raised again later or is over."""


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm.

    Attributes:
        began_at: Start in the OAP's time zone.
        state: What it means for the window.
        rule: Name of its rule; empty if it is not known.
        text: Rule and message in one bounded, printable line.
    """

    began_at: datetime
    state: AlarmState
    rule: str
    text: str

    def describe(self, now: datetime) -> str:
        """Return the time, the state and the text in one line. The time has its date unless it is today's."""
        return f"{format_time(self.began_at, now)} {self.state} · {self.text}"


def build_alarm_views(report: AlarmReport, zone: tzinfo | None) -> tuple[AlarmView, ...]:
    """Return the alarms that fired or are firing, the newest first, MAX_ALARMS at most.

    Args:
        report: Alarms of the measurement.
        zone: Time zone of the OAP.
    """
    alarms = dict.fromkeys((*report.fired, *report.firing))
    newest_first = sorted(alarms, key=lambda one: one.alarm.began_at, reverse=True)[:MAX_ALARMS]
    firing = set(report.firing)
    return tuple(
        AlarmView(one.began_at(zone), _find_state(one, firing=one in firing), one.rule, describe_alarm(one))
        for one in newest_first
    )


def _find_state(one: SelectedAlarm, *, firing: bool) -> AlarmState:
    if firing:
        return AlarmState.FIRING
    return AlarmState.RECOVERED if one.alarm.recovered else AlarmState.FIRED
