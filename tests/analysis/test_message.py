"""Messages of measurements: one line with the value, the calls and buckets behind it, and the origin."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.message import (
    MAX_MESSAGE,
    Origin,
    describe_sample,
    format_conditions,
    format_window,
    message_for,
    no_data,
    only_earlier_pods,
    too_few_calls,
    truncate_message,
)
from skywalking_provider.analysis.verdict import Verdict
from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series

START = datetime(2026, 11, 24, 9, 14, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
WINDOW = Window(START, START + timedelta(minutes=12))
FROM_PROD = Origin(WINDOW, "prod", START)
ORIGIN = "09:14–09:26 -0330 · backend prod"


def empty(name: str) -> Series:
    return Series(name, (None, None))


@pytest.mark.parametrize(
    ("calls", "buckets_with_data", "coverage"),
    [
        (1840, 10, "1 840 calls in 10 of 12 buckets"),
        (1_234_567, 12, "1 234 567 calls in 12 buckets"),
        (1840, 11, "1 840 calls in 11 of 12 buckets"),
        (1840, 0, "1 840 calls in 0 of 12 buckets"),
        (1, 1, "1 call in 1 of 12 buckets"),
        (2, 1, "2 calls in 1 of 12 buckets"),
        (0, 13, "0 calls in 12 buckets"),
        (None, None, "12 buckets"),
        (None, 3, "3 of 12 buckets"),
    ],
)
def test_message_of_a_sample_has_the_calls_and_buckets_that_were_read(
    calls: int | None, buckets_with_data: int | None, coverage: str
) -> None:
    sample = Sample(0.9, "success-rate 0.9", (), calls, buckets_with_data)

    message = describe_sample(sample, "no condition", "", FROM_PROD)

    assert message == f"success-rate 0.9, no condition · {coverage} · {ORIGIN}"


def test_window_of_one_minute_has_one_bucket() -> None:
    window = Window(START, START + timedelta(minutes=1))

    message = describe_sample(Sample(1, "cpm 1", ()), 'wanted "x"', "2 instances of abc", Origin(window, "prod", START))

    assert message == 'cpm 1, wanted "x" · 1 bucket · 2 instances of abc · 09:14–09:15 -0330 · backend prod'


def test_message_without_data_names_up_to_three_empty_series() -> None:
    series = (empty("a"), Series("full", (1, None)), empty("b"), empty("c"), empty("d"))

    assert no_data(Sample(None, "", series), "", FROM_PROD) == f"no value of a, b, c in 12 buckets · {ORIGIN}"
    assert no_data(Sample(None, "", series[:1]), "1 instance of abc", FROM_PROD, "it is new") == (
        f"no value of a in 12 buckets · it is new · 1 instance of abc · {ORIGIN}"
    )


@pytest.mark.parametrize(("calls", "text"), [(999, "999"), (1000, "1 000"), (0, "0"), (None, "0")])
def test_message_of_too_few_calls_has_the_number_and_the_limit(calls: int | None, text: str) -> None:
    message = too_few_calls(Sample(1, "x", (), calls), 2000, "3 instances of abc", FROM_PROD, "because")

    assert message == f"{text} calls, wanted 2 000 (minCalls) · because · 3 instances of abc · {ORIGIN}"


def test_message_of_too_few_calls_without_a_cause_has_the_origin_only() -> None:
    assert too_few_calls(Sample(1, "x", (), 1), 20, "", FROM_PROD) == f"1 call, wanted 20 (minCalls) · {ORIGIN}"


def test_message_without_a_common_minute_names_both_sides() -> None:
    message = no_data(Sample(None, "x", (Series("a", (1,)), Series("b", (1,)))), "", FROM_PROD)

    assert message == f"no minute in which canary and stable have calls in 12 buckets · {ORIGIN}"


@pytest.mark.parametrize(
    ("success", "failure", "text"),
    [
        ("", "", "no condition"),
        ("result > 1", "", 'wanted "result > 1"'),
        ("", "result < 1", 'not wanted "result < 1"'),
        ("result  >\n 1", "result < 1", 'wanted "result > 1", not wanted "result < 1"'),
        ("x" * 240, "", f'wanted "{"x" * 240}"'),
        ("x" * 241, "", f'wanted "{"x" * 239}…"'),
    ],
)
def test_conditions_are_written_on_one_line_and_shortened(success: str, failure: str, text: str) -> None:
    assert format_conditions(success, failure) == text


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "end", "now", "text"),
    [
        ("2026-11-24 09:14-03:30", "2026-11-24 09:26-03:30", "2026-11-24 13:00+00:00", "09:14–09:26 -0330"),
        ("2026-11-24 12:44+00:00", "2026-11-24 12:56+00:00", "2026-11-24 13:00+00:00", "12:44–12:56 +0000"),
        # Today is the day of the zone of the window: 03:00 UTC is the day before at -03:30.
        ("2026-11-23 23:14-03:30", "2026-11-23 23:26-03:30", "2026-11-24 03:00+00:00", "23:14–23:26 -0330"),
        ("2026-11-24 12:44+00:00", "2026-11-24 12:56+00:00", "2026-11-25 13:00+00:00", "2026-11-24 12:44–12:56 +0000"),
        (
            "2026-11-23 23:50+00:00",
            "2026-11-24 00:10+00:00",
            "2026-11-24 00:11+00:00",
            "2026-11-23 23:50–2026-11-24 00:10 +0000",
        ),
        (
            "2026-11-23 23:50+00:00",
            "2026-11-24 00:10+00:00",
            "2026-11-25 00:11+00:00",
            "2026-11-23 23:50–2026-11-24 00:10 +0000",
        ),
    ],
)
def test_window_is_written_in_its_own_zone_with_dates_unless_they_are_todays(
    start: str, end: str, now: str, text: str
) -> None:
    assert format_window(Window(at(start), at(end)), at(now)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, ""),
        (-59, ""),
        (60, "the OAP's clock is 1m ahead of the provider's"),
        (-150, "the OAP's clock is 2m behind the provider's"),
        (-86_400, "the OAP's clock is 1d behind the provider's"),
        (176_461, "the OAP's clock is 2d1h1m ahead of the provider's"),
    ],
)
def test_origin_names_a_wrong_clock_of_the_oap(seconds: int, text: str) -> None:
    origin = Origin(WINDOW, "prod", START, timedelta(seconds=seconds))

    assert origin.describe() == ("09:14–09:26 -0330", text, "backend prod")


@pytest.mark.parametrize(
    ("phase", "reason", "detail", "message"),
    [
        (Phase.SUCCESSFUL, None, "", ""),
        (Phase.SUCCESSFUL, None, "value 1", "value 1"),
        (Phase.ERROR, Reason.CONDITION_ERROR, "unknown name x", "unknown name x"),
        (Phase.FAILED, Reason.NO_DATA, "no value", "NO_DATA no value"),
    ],
)
def test_message_begins_with_the_reason_unless_the_text_is_argos(
    phase: Phase, reason: Reason | None, detail: str, message: str
) -> None:
    assert message_for(Verdict(phase, reason, detail)) == message


@given(st.text(max_size=2000))
def test_line_keeps_its_printable_words_up_to_the_limit(text: str) -> None:
    line = truncate_message(text)

    whole = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    assert line.isprintable()
    assert line == whole if len(whole) <= MAX_MESSAGE else (len(line) == MAX_MESSAGE and whole.startswith(line[:-1]))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\u200bb\tc\n d", "a b c d"),
        ("x" * MAX_MESSAGE, "x" * MAX_MESSAGE),
        ("x" * (MAX_MESSAGE + 1), "x" * (MAX_MESSAGE - 1) + "…"),
    ],
)
def test_line_is_cut_at_the_limit_with_an_ellipsis(text: str, line: str) -> None:
    assert truncate_message(text) == line


@pytest.mark.parametrize(
    ("pods", "names"),
    [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d"], "a, b, c and 1 more")],
)
def test_message_of_calls_of_an_earlier_version_names_up_to_three_pods(pods: list[str], names: str) -> None:
    problem = f"only pods of an earlier version have calls: {names}"

    assert only_earlier_pods(pods, FROM_PROD) == f"{problem} · {ORIGIN}"
    assert only_earlier_pods(pods, FROM_PROD, "a label changed") == f"{problem} · a label changed · {ORIGIN}"
