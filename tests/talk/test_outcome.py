"""Problems of outcomes: each expectation of the talk is violated once."""

import re
from dataclasses import replace

import pytest

from bench.talk.outcome import VersionOutcome, find_problems
from bench.talk.snapshot import Measurement, Snapshot
from bench.talk.traffic_split import SplitCheck, WeightSegment
from bench.talk.versions import UPDATES

GOOD, BAD, _ = UPDATES
MESSAGE = 'CONDITION_NOT_MET success-rate 0.8, wanted "result >= 0.99" · 3 buckets'
SUCCESSFUL = Measurement("run-1", "success-rate", 0, "Successful", "1", "", "")
FAILED = Measurement("run-2", "success-rate", 0, "Failed", "0.8", MESSAGE, "")
WEIGHTS = (10, 50)


def split(weight: int, calls: int = 1000, canary_calls: int | None = None) -> SplitCheck:
    expected = 10 * weight
    found = expected if canary_calls is None else canary_calls
    return SplitCheck(WeightSegment(0, 60, weight), calls, found, expected - 40, expected + 40)


PROMOTED = VersionOutcome(
    GOOD,
    "abc",
    0,
    60,
    Snapshot(60, health="Healthy", phase="Healthy", stable="h2", canary="h2"),
    (SUCCESSFUL,),
    (split(10), split(50)),
    split(100),
)
ABORTED = VersionOutcome(
    BAD,
    "def",
    0,
    60,
    Snapshot(
        60,
        health="Degraded",
        health_message=f'RolloutAborted: Metric "success-rate" assessed Failed: "Error Message: {MESSAGE}"',
        phase="Degraded",
        stable="h2",
        canary="h3",
        aborted=True,
    ),
    (FAILED,),
    (split(10),),
    split(0),
)


@pytest.mark.parametrize("outcome", [PROMOTED, ABORTED], ids=["promoted", "aborted"])
def test_expected_outcome_has_no_problems(outcome: VersionOutcome) -> None:
    assert find_problems(outcome, WEIGHTS) == []


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (replace(PROMOTED, last=replace(PROMOTED.last, health="Suspended")), "Argo CD's health is Suspended"),
        (replace(PROMOTED, last=replace(PROMOTED.last, stable="h1")), "expected Healthy with the version as stable"),
        (replace(PROMOTED, last=replace(PROMOTED.last, weight=50)), "the VirtualService has the weights 50/50"),
        (replace(PROMOTED, measurements=()), "promoted without a verdict"),
        (replace(PROMOTED, splits=(split(10),)), r"weights were \[10\], expected \[10, 50\]"),
        (replace(PROMOTED, splits=(split(10), split(50, canary_calls=300))), "300 of 1000 calls at weight 50"),
        (replace(PROMOTED, splits=(split(10), split(50, calls=9))), "fewer than 100 calls"),
        (replace(PROMOTED, final=split(100, canary_calls=900)), "900 of 1000 calls at weight 100"),
        (replace(ABORTED, last=replace(ABORTED.last, aborted=False)), "expected Degraded after an abort"),
        (replace(ABORTED, last=replace(ABORTED.last, health_message="RolloutAborted")), "does not contain that of"),
        (replace(ABORTED, measurements=(SUCCESSFUL,)), "no measurement was Failed"),
        (replace(ABORTED, splits=()), "the canary had no traffic"),
        (replace(ABORTED, last=PROMOTED.last), "expected Degraded"),
    ],
)
def test_other_outcome_has_its_problem(outcome: VersionOutcome, problem: str) -> None:
    assert any(re.search(problem, one) for one in find_problems(outcome, WEIGHTS))
