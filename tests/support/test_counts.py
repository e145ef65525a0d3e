"""Numbers with their nouns."""

import pytest

from skywalking_provider.support.counts import format_count
from skywalking_provider.support.formatting import truncate_lines


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "minute", "", "0 minutes"),
        (1, "minute", "", "1 minute"),
        (2, "minute", "", "2 minutes"),
        (1, "more name is", "more names are", "1 more name is"),
        (3, "more name is", "more names are", "3 more names are"),
    ],
)
def test_count_of_one_is_in_the_singular(number: int, noun: str, plural: str, text: str) -> None:
    assert format_count(number, noun, plural) == text


def test_truncated_line_is_counted_in_the_singular() -> None:
    assert truncate_lines(["a", "b"], 2, "x") == ["a", "b"]
    assert truncate_lines(["a", "b", "c"], 3, "x") == ["a", "b", "c"]
    assert truncate_lines([*"abc"], 2, "use -v") == ["a", "… 2 more lines; use -v"]
