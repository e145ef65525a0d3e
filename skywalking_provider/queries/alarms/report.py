"""Alarms of one measurement: how many fired, are firing and have recovered. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from skywalking_provider.model import Window
from skywalking_provider.oap.api.alarms import OapAlarm, from_milliseconds, to_milliseconds

_CHECK_PERIOD = timedelta(minutes=1)  # an OAP evaluates its rules once a minute


@dataclass(frozen=True, slots=True)
class SelectedAlarm:
    """An alarm that counts, with the rule that raised it.

    Attributes:
        alarm: The alarm.
        rule: Name of the rule; empty if it is not known.
    """

    alarm: OapAlarm
    rule: str = ""

    def began_at(self, zone: tzinfo | None) -> datetime:
        """Return when it began, in a time zone."""
        return from_milliseconds(self.alarm.began_at).astimezone(zone)


@dataclass(frozen=True, slots=True)
class AlarmReport:
    """The alarms that count in a window.

    Attributes:
        fired: Alarms that began in the window or since its end, the newest first.
        firing: Newest alarm of each rule and entity if it has not recovered and may last, the newest first. It began in
            the window or before it.
        recovered: Number of `fired` that have recovered; 0 if the OAP does not report recoveries.
        reports_recovery: Whether the OAP reports recoveries.
    """

    fired: tuple[SelectedAlarm, ...] = ()
    firing: tuple[SelectedAlarm, ...] = ()
    recovered: int = 0
    reports_recovery: bool = False

    @property
    def empty(self) -> bool:
        """Whether no alarm fired or is firing."""
        return not (self.fired or self.firing)

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules whose alarms fired or are firing, as far as they are known, sorted."""
        return tuple(sorted({one.rule for one in (*self.fired, *self.firing) if one.rule}))

    @property
    def newest(self) -> SelectedAlarm | None:
        """The newest alarm that fired, or else that is firing."""
        return next(iter((*self.fired, *self.firing)), None)

    def result(self) -> dict[str, object]:
        """Return the result for the conditions."""
        return {
            "firing": len(self.firing),
            "fired": len(self.fired),
            "recovered": self.recovered,
            "rules": list(self.rules),
        }


def build_report(
    alarms: Iterable[SelectedAlarm], window: Window, silence_period: timedelta, *, reports_recovery: bool
) -> AlarmReport:
    """Sort the alarms of an entity by what they mean for a window.

    A rule that still holds raises its alarm again at the first evaluation after its silence period. An OAP reports the
    recovery of the last of these alarms only, none of an entity without data, and none after a restart. So only the
    newest alarm of a rule is firing, and only during the silence period.

    Args:
        alarms: Alarms that count, those before the window included.
        window: Window of the measurement.
        silence_period: Longest time for which a rule that holds raises no further alarm.
        reports_recovery: Whether the OAP reports recoveries.
    """
    newest_first = sorted(alarms, key=lambda one: (one.alarm.began_at, not one.alarm.recovered), reverse=True)
    fired = [one for one in newest_first if one.alarm.began_at >= to_milliseconds(window.start)]
    firing_since = to_milliseconds(_firing_since(window, silence_period))
    newest = dict[tuple[str, str, str], SelectedAlarm]()
    for one in newest_first:
        newest.setdefault(_identify(one), one)
    firing = [one for one in newest.values() if one.alarm.began_at >= firing_since and not one.alarm.recovered]
    return AlarmReport(
        tuple(fired), tuple(firing), sum(one.alarm.recovered for one in fired), reports_recovery=reports_recovery
    )


def alarm_window(window: Window, silence_period: timedelta, settle: timedelta) -> Window:
    """Return the minutes whose alarms are read: the window, the silence period before its end, and those since.

    Args:
        window: Window of the measurement.
        silence_period: See `build_report`.
        settle: Settle delay of the window. The current time is at most that and a minute after its end.
    """
    start = min(window.start.astimezone(UTC), _firing_since(window, silence_period))
    minutes = -(-settle // window.step) + 1
    end = window.end.astimezone(UTC) + minutes * window.step
    return Window(start.astimezone(window.start.tzinfo), end.astimezone(window.end.tzinfo), window.step)


def _identify(one: SelectedAlarm) -> tuple[str, str, str]:
    """Return what the repeated alarms of one rule have in common."""
    return one.alarm.scope, one.alarm.entity_id, one.rule or one.alarm.message


def _firing_since(window: Window, silence_period: timedelta) -> datetime:
    return window.end.astimezone(UTC) - silence_period - _CHECK_PERIOD
