"""Verdict of a collected sample: missing data and too few calls, and evaluated conditions."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from skywalking_provider.analysis.evaluation import MetricConditions
from skywalking_provider.analysis.message import Origin
from skywalking_provider.analysis.sample_verdict import condition_verdict, missing_data_verdict
from skywalking_provider.analysis.verdict import WaitBudget
from skywalking_provider.block import JudgedSpec, Spec, parse_block
from skywalking_provider.conditions import Evaluation
from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries import CollectedSample, Diagnosis
from skywalking_provider.queries.sample import Sample
from skywalking_provider.queries.series import Series
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORIGIN = Origin(Window(NOON, NOON + timedelta(minutes=3)), "prod", NOON)
FROM = "12:00–12:03 +0000 · backend prod"
WAITING = WaitBudget(timedelta(minutes=7), NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))
EXHAUSTED = WaitBudget(timedelta(minutes=7), NOON, NOON + timedelta(minutes=7), NOON + timedelta(minutes=8))
CAUSE = Diagnosis(text="it is new")
FULL, EMPTY = Series("sla", (9900,)), Series("sla", (None,))


def spec(**keys: object) -> Spec:
    block = {"sli": "success-rate", "service": "a", "window": "3m", "minCalls": 20}
    return parse_block(json.dumps(block | keys).encode())


def collected(*series: Series, calls: int | None = 20, sides: Sides | None = None) -> CollectedSample:
    return CollectedSample(Sample(0.99, "success-rate 0.99", series, calls, 3, sides=sides), "2 instances of abc")


def both(canary: int, stable: int) -> Sides:
    block = JudgedSpec.model_validate_json(json.dumps(COMPARE))
    minute = SideMinute(100, 0, 0)
    return Sides(block, "success-rate", Side({canary: minute}), Side({stable: minute}))


def test_empty_series_is_no_data_with_the_cause() -> None:
    verdict = missing_data_verdict(spec(), ORIGIN, collected(FULL, EMPTY), CAUSE, WAITING)

    assert verdict is not None
    assert (verdict.phase, verdict.reason) == (Phase.RUNNING, Reason.NO_DATA)
    assert verdict.detail.startswith(f"no value of sla in 3 buckets · it is new · 2 instances of abc · {FROM} · wait")
    assert verdict.resume_at == NOON + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("policy", "phase"), [("inconclusive", Phase.INCONCLUSIVE), ("error", Phase.ERROR), ("failed", Phase.FAILED)]
)
def test_missing_data_after_the_wait_ends_by_the_policy_of_the_block(policy: str, phase: Phase) -> None:
    for one in (collected(EMPTY), collected(FULL, calls=19)):
        verdict = missing_data_verdict(spec(onNoData=policy), ORIGIN, one, CAUSE, EXHAUSTED)
        assert verdict is not None
        assert verdict.phase is phase


@pytest.mark.parametrize(("calls", "text"), [(19, "19 calls"), (None, "0 calls")])
def test_too_few_calls_have_the_required_number_and_the_cause(calls: int | None, text: str) -> None:
    verdict = missing_data_verdict(spec(), ORIGIN, collected(FULL, calls=calls), CAUSE, WAITING)

    assert verdict is not None
    assert (verdict.phase, verdict.reason) == (Phase.RUNNING, Reason.TOO_FEW_CALLS)
    assert verdict.detail.startswith(
        f"{text}, wanted 20 (minCalls) · it is new · 2 instances of abc · {FROM} · waiting until "
    )


def test_one_required_call_is_missing_without_any() -> None:
    for calls in (0, None):
        verdict = missing_data_verdict(spec(minCalls=1), ORIGIN, collected(FULL, calls=calls), CAUSE, WAITING)
        assert verdict is not None
        assert verdict.reason is Reason.TOO_FEW_CALLS


def test_sample_with_data_and_calls_has_no_verdict_yet() -> None:
    assert missing_data_verdict(spec(), ORIGIN, collected(FULL), CAUSE, WAITING) is None


def test_sides_without_a_common_minute_are_no_data() -> None:
    judged = parse_block(json.dumps(COMPARE).encode())
    verdict = missing_data_verdict(judged, ORIGIN, collected(FULL, sides=both(0, 1)), CAUSE, WAITING)

    assert verdict is not None
    assert verdict.reason is Reason.NO_DATA
    assert verdict.detail.startswith("no minute in which canary and stable have calls in 3 buckets · it is new · ")
    assert missing_data_verdict(judged, ORIGIN, collected(FULL, sides=both(1, 1)), CAUSE, WAITING) is None


@pytest.mark.parametrize(
    ("success", "failure", "phase", "reason", "conditions"),
    [
        ("s", "", Phase.FAILED, Reason.CONDITION_NOT_MET, 'wanted "s"'),
        ("s", "f", Phase.FAILED, Reason.FAILURE_CONDITION_MET, 'wanted "s", not wanted "f"'),
        ("s", "f", Phase.INCONCLUSIVE, Reason.NEITHER_CONDITION_MET, 'wanted "s", not wanted "f"'),
    ],
)
def test_verdict_of_conditions_has_the_sample_and_the_conditions(
    success: str, failure: str, phase: Phase, reason: Reason, conditions: str
) -> None:
    verdict = condition_verdict(MetricConditions(success, failure), ORIGIN, collected(FULL), Evaluation(phase))

    assert (verdict.phase, verdict.reason) == (phase, reason)
    assert verdict.detail == (f"success-rate 0.99, {conditions} · 20 calls in 3 buckets · 2 instances of abc · {FROM}")


@pytest.mark.parametrize(
    ("phase", "reason", "text"),
    [(Phase.ERROR, Reason.CONDITION_ERROR, "Argo's text"), (Phase.SUCCESSFUL, None, "")],
)
def test_verdict_of_conditions_without_a_reason_of_the_sample_has_the_text_of_the_evaluation(
    phase: Phase, reason: Reason | None, text: str
) -> None:
    verdict = condition_verdict(MetricConditions("s", "f"), ORIGIN, collected(FULL), Evaluation(phase, text))

    assert (verdict.phase, verdict.reason, verdict.detail) == (phase, reason, text)
