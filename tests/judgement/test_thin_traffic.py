"""Figures of docs/judgement.md about thin traffic: the judge computes them."""

import re
from itertools import count
from pathlib import Path

from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    Finding,
    Judge,
    Limit,
    RateComparison,
    RatePair,
    decide,
)

PAGE = Path(__file__).parents[2] / "docs" / "judgement.md"
ROW = re.compile(r"^\| `(0\.\d+)`.*?\| (\d+) calls, (\d+) minutes? \| (\d+) calls, (\d+) minutes? \|$", re.MULTILINE)
CONFIDENCE = Confidence()


def minutes_until_fine(calls: int, difference: float) -> int:
    judge = Judge(RateComparison(Limit(0.001, 1.25), Limit(difference, 3)), CONFIDENCE)
    for minute in count(1):
        judge.add(RatePair(FailureCounts(calls, 0, 0), FailureCounts(9 * calls, 0, 0)))
        if decide(judge.evidence, CONFIDENCE) is Finding.FINE:
            return minute
    raise AssertionError


def test_calls_that_fine_needs_are_those_of_the_page() -> None:
    rows = ROW.findall(PAGE.read_text())

    assert len(rows) == 5
    for difference, *cells in rows:
        minutes = [minutes_until_fine(calls, float(difference)) for calls in (12, 60)]
        assert [int(cell) for cell in cells] == [12 * minutes[0], minutes[0], 60 * minutes[1], minutes[1]]
