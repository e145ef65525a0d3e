"""List of the alarms of a measurement."""

from datetime import UTC, datetime, timedelta, timezone

from skywalking_provider.analysis.alarm_view import MAX_ALARMS, AlarmState, build_alarm_views
from skywalking_provider.model import Window
from skywalking_provider.oap.api.alarms import OapAlarm, to_milliseconds
from skywalking_provider.queries.alarms.report import SelectedAlarm, build_report

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=5), NOON)
ZONE = timezone(timedelta(hours=8))


def alarm(minutes: float, rule: str = "a_rule", message: str = "slow", *, recovered: bool = False) -> SelectedAlarm:
    began_at = to_milliseconds(NOON - timedelta(minutes=minutes))
    return SelectedAlarm(OapAlarm(began_at, "Service", "a", message, recovered=recovered), rule)


def test_alarms_are_listed_newest_first_with_their_states_in_the_time_zone_of_the_oap() -> None:
    some = [alarm(8, "b_rule"), alarm(4), alarm(2), alarm(3, "c_rule", recovered=True), alarm(30, "old_rule")]
    report = build_report(some, WINDOW, timedelta(minutes=10), reports_recovery=True)
    views = build_alarm_views(report, ZONE)

    assert [(one.rule, one.state) for one in views] == [
        ("a_rule", AlarmState.FIRING),
        ("c_rule", AlarmState.RECOVERED),
        ("a_rule", AlarmState.FIRED),
        ("b_rule", AlarmState.FIRING),
    ]
    assert views[0].describe(NOON) == "19:58:00 firing · a_rule: slow"
    assert views[0].describe(NOON + timedelta(days=1)) == "2026-11-30 19:58:00 firing · a_rule: slow"


def test_list_and_its_texts_are_bounded_and_printable() -> None:
    some = [alarm(at / 100, f"{at}_rule", "\x1b[31m" + "x" * 500) for at in range(50)]
    views = build_alarm_views(build_report(some, WINDOW, timedelta(0), reports_recovery=False), ZONE)

    assert len(views) == MAX_ALARMS
    assert all(one.text.isprintable() and len(one.text) < 300 for one in views)
