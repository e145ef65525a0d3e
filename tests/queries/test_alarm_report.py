"""Report of an entity's alarms: fired, firing and recovered."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.model import Window
from skywalking_provider.oap.api.alarms import OapAlarm, to_milliseconds
from skywalking_provider.queries.alarms.report import AlarmReport, SelectedAlarm, alarm_window, build_report

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=5), NOON)
PERIOD = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


def alarm(minutes: float, *, entity: str = "a", rule: str = "a_rule", recovered: bool = False) -> SelectedAlarm:
    """Return an alarm that began this many minutes before noon."""
    began_at = to_milliseconds(NOON - timedelta(minutes=minutes))
    return SelectedAlarm(OapAlarm(began_at, "Service", entity, "message", recovered=recovered), rule)


def report(*alarms: SelectedAlarm, silence_period: timedelta = PERIOD) -> AlarmReport:
    return build_report(alarms, WINDOW, silence_period, reports_recovery=True)


def counts(made: AlarmReport) -> tuple[int, int, int]:
    return len(made.fired), len(made.firing), made.recovered


def test_alarm_fired_if_it_began_in_the_window_or_since_its_end() -> None:
    first, last, since = alarm(5), alarm(0.01), alarm(-1)

    assert report(first, last, since).fired == (since, last, first)
    assert report(alarm(5.001)).fired == ()


def test_alarm_from_before_the_window_is_firing_unless_it_recovered() -> None:
    assert counts(report(alarm(8))) == (0, 1, 0)
    assert counts(report(alarm(8, recovered=True))) == (0, 0, 0)


def test_alarm_is_not_firing_after_its_silence_period_and_the_next_evaluation() -> None:
    assert counts(report(alarm(11))) == (0, 1, 0)
    assert counts(report(alarm(11.01))) == (0, 0, 0)
    assert counts(report(alarm(5.5), silence_period=timedelta(0))) == (0, 0, 0)


def test_recovered_alarm_of_the_window_fired() -> None:
    assert counts(report(alarm(3, recovered=True))) == (1, 0, 1)


def test_only_the_newest_alarm_of_a_rule_and_an_entity_is_firing() -> None:
    # The OAP reports the recovery of the last repetition only.
    assert counts(report(alarm(9), alarm(6), alarm(3))) == (1, 1, 0)
    assert counts(report(alarm(9), alarm(6), alarm(3, recovered=True))) == (1, 0, 1)
    assert counts(report(alarm(8), alarm(8, entity="b"), alarm(8, rule="b_rule"))) == (0, 3, 0)


def test_result_has_the_counts_and_the_rules_that_fired_or_are_firing() -> None:
    made = report(alarm(8, rule="c_rule"), alarm(3, rule="a_rule"), alarm(20, rule="old_rule"), alarm(2, rule=""))

    assert made.result() == {"firing": 3, "fired": 2, "recovered": 0, "rules": ["a_rule", "c_rule"]}


def test_alarms_are_read_from_the_silence_period_to_the_current_minute() -> None:
    read = alarm_window(WINDOW, PERIOD, settle=timedelta(seconds=75))

    assert (read.start, read.end) == (NOON - 11 * MINUTE, NOON + 3 * MINUTE)
    assert alarm_window(WINDOW, timedelta(0), timedelta(0)) == Window(WINDOW.start, NOON + MINUTE)


alarms = st.lists(
    st.builds(
        alarm,
        st.floats(-2, 30),
        entity=st.sampled_from("ab"),
        rule=st.sampled_from(["a_rule", "b_rule", ""]),
        recovered=st.booleans(),
    ),
    max_size=12,
)
silences = st.integers(0, 20).map(lambda minutes: timedelta(minutes=minutes))


@given(alarms, silences)
def test_every_counted_alarm_was_read(some: list[SelectedAlarm], silence_period: timedelta) -> None:
    made = report(*some, silence_period=silence_period)
    read = alarm_window(WINDOW, silence_period, settle=MINUTE)

    for one in (*made.fired, *made.firing):
        assert to_milliseconds(read.start) <= one.alarm.began_at
    assert made.recovered <= len(made.fired)
    assert made.empty == (made.newest is None)


@given(alarms, silences, st.randoms())
def test_report_does_not_depend_on_the_order_of_the_alarms(
    some: list[SelectedAlarm], silence_period: timedelta, order: object
) -> None:
    shuffled = list(some)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    assert counts(report(*shuffled, silence_period=silence_period)) == counts(
        report(*some, silence_period=silence_period)
    )
