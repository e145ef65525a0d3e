"""Messages of measurements: one line with the value, the calls and buckets behind it, and the origin."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.message import (
    MAX_MESSAGE,
    describe_sample,
    format_conditions,
    format_window,
    message_for,
    no_data,
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
        (0, 13, "0 calls in 12 buckets"),
        (None, None, "12 buckets"),
        (None, 3, "3 of 12 buckets"),
    ],
)
def test_message_of_a_sample_has_the_calls_and_buckets_that_were_read(
    calls: int | None, buckets_with_data: int | None, coverage: str
) -> None:
    sample = Sample(0.9, "success-rate 0.9", (), calls, buckets_with_data)

    message = describe_sample(sample, "no condition", "", WINDOW, "prod")

    assert message == f"success-rate 0.9, no condition · {coverage} · {ORIGIN}"


def test_window_of_one_minute_has_one_bucket() -> None:
    window = Window(START, START + timedelta(minutes=1))

    message = describe_sample(Sample(1, "cpm 1", ()), 'wanted "x"', "2 instances of abc", window, "prod")

    assert message == 'cpm 1, wanted "x" · 1 bucket · 2 instances of abc · 09:14–09:15 -0330 · backend prod'


def test_message_without_data_names_up_to_three_empty_series() -> None:
    series = (empty("a"), Series("full", (1, None)), empty("b"), empty("c"), empty("d"))

    assert no_data(Sample(None, "", series), "", WINDOW, "prod") == f"no value of a, b, c in 12 buckets · {ORIGIN}"
    assert no_data(Sample(None, "", series[:1]), "1 instance of abc", WINDOW, "prod", "it is new") == (
        f"no value of a in 12 buckets · it is new · 1 instance of abc · {ORIGIN}"
    )


@pytest.mark.parametrize(("calls", "text"), [(999, "999"), (1000, "1 000"), (0, "0"), (None, "0")])
def test_message_of_too_few_calls_has_the_number_and_the_limit(calls: int | None, text: str) -> None:
    message = too_few_calls(Sample(1, "x", (), calls), 2000, "3 instances of abc", WINDOW, "prod")

    assert message == f"{text} calls, wanted 2 000 (minCalls) · 3 instances of abc · {ORIGIN}"


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


def test_window_is_written_in_its_own_zone() -> None:
    assert format_window(WINDOW) == "09:14–09:26 -0330"
    assert format_window(Window(START.astimezone(UTC), WINDOW.end.astimezone(UTC))) == "12:44–12:56 +0000"


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
