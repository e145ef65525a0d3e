"""Durations in Go's notation: what is accepted, how they are written, and the limits."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support.durations import format_duration, parse_duration

DURATIONS = st.timedeltas(timedelta(0), timedelta(days=7))
WHOLE_SECONDS = st.integers(0, 7 * 86400).map(lambda seconds: timedelta(seconds=seconds))


@given(WHOLE_SECONDS)
def test_formatted_duration_is_parsed_to_the_same_duration(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(DURATIONS)
def test_formatted_duration_differs_from_the_duration_by_rounding_of_its_seconds_only(duration: timedelta) -> None:
    assert abs(parse_duration(format_duration(duration)) - duration) <= timedelta(microseconds=100)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (1, "1s"),
        (59, "59s"),
        (60, "1m"),
        (90, "1m30s"),
        (90.5, "1m30.5s"),
        (180.25, "3m0.25s"),
        (3599, "59m59s"),
        (3600, "1h"),
        (3601, "1h1s"),
        (5400, "1h30m"),
        (36_000, "10h"),
        (90_061, "25h1m1s"),
    ],
)
def test_duration_is_formatted_in_its_shortest_form(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3m", 180),
        (" 3m ", 180),
        ("1h30m", 5400),
        ("90s", 90),
        ("1.5m", 90),
        ("+3m", 180),
        ("1500ms", 1.5),
        ("0", 0),
        (0, 0),
        ("0s", 0),
        ("168h", 604_800),
    ],
)
def test_duration_in_the_notation_of_go_is_accepted(text: object, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@given(DURATIONS | st.timedeltas())
def test_parsed_duration_is_returned_as_it_is(duration: timedelta) -> None:
    assert parse_duration(duration) is duration


@pytest.mark.parametrize("value", [None, True, False, [], {}, b"3m"])
def test_value_that_is_not_a_text_or_number_is_not_a_duration(value: object) -> None:
    with pytest.raises(
        ValueError, match=r"^is not a duration\. Write it in Go's notation, such as \"3m\" or \"1h30m\"$"
    ):
        parse_duration(value)


@pytest.mark.parametrize("text", ["", "3", "3 m", "1d", "3m-2m", "m", "3M", "1h 30m", "9" * 33 + "s", "٣m", 5, 1.5])
def test_text_that_go_rejects_is_not_a_duration(text: object) -> None:
    with pytest.raises(
        ValueError, match=r"is not a duration\. Write it in Go's notation, such as \"3m\" or \"1h30m\"$"
    ):
        parse_duration(text)


def test_long_text_is_quoted_up_to_forty_characters() -> None:
    with pytest.raises(ValueError, match=f"^'{'x' * 40}' is not a duration"):
        parse_duration("x" * 41)


def test_text_is_parsed_up_to_32_characters() -> None:
    longest = "1m" * 15 + "1s"

    assert parse_duration(longest) == timedelta(minutes=15, seconds=1)
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(longest + "1s")


def test_duration_of_more_than_seven_days_is_rejected() -> None:
    assert parse_duration("168h") == timedelta(days=7)
    with pytest.raises(ValueError, match=r"^'168h0\.001s' is longer than 7 days$"):
        parse_duration("168h0.001s")


def test_negative_duration_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"^'-3m' is negative$"):
        parse_duration("-3m")
