"""Texts of a judgement: messages of measurements, explanations for people, and the verdict without conditions."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.judgement_message import (
    describe_undecided,
    describe_values,
    describe_worse,
    format_evidence,
    format_value,
)
from skywalking_provider.analysis.judgement_view import describe_short, explain_finding
from skywalking_provider.analysis.judging import EvidenceStep, Judgement, PooledSide
from skywalking_provider.analysis.message import Origin
from skywalking_provider.analysis.sample_verdict import judgement_verdict
from skywalking_provider.analysis.verdict import WaitBudget
from skywalking_provider.block import JudgedSpec
from skywalking_provider.errors import Reason
from skywalking_provider.judgement import Confidence, Evidence, Finding
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE, OBJECTIVE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORIGIN = Origin(Window(NOON, NOON + timedelta(minutes=3)), "prod", NOON)
FROM = "12:00–12:03 +0000 · backend prod"
WORSE, SUSPICIOUS, OPEN = Evidence(1234.5, 0.1), Evidence(99.6, 0.1), Evidence(1, 2)
LATENCY = {"sli": "latency"}
BAD, BETWEEN, GOOD = PooledSide(1000, 15, 0.985), PooledSide(1000, 5, 0.995), PooledSide(1000, 1, 0.999)
STABLE, WORST = PooledSide(40_000, 80, 0.998), SideMinute(1200, 10, 12)


def judgement(
    block: dict[str, Any] = COMPARE,
    evidence: Evidence = OPEN,
    *,
    canary: PooledSide = BAD,
    stable: PooledSide = STABLE,
    subjects: tuple[str, str] = ("2 instances of abc", "3 instances of def"),
    worst: SideMinute = WORST,
    **attributes: Any,
) -> Judgement:
    spec = JudgedSpec.model_validate_json(json.dumps(block))
    compares = spec.compare is not None
    steps = (EvidenceStep(0, Evidence(1, 1)), EvidenceStep(2, evidence))
    minutes = {0: SideMinute(5, 0, 0), 2: worst}
    both = Sides(spec, "success-rate", Side(minutes, subjects[0]), Side(minutes, subjects[1]) if compares else None)
    made = Judgement(both, Finding.OPEN, Confidence(), steps, canary, stable if compares else None, 2, False, None)
    return replace(made, **attributes)


def test_worse_canary_has_both_sides_the_limit_the_evidence_and_the_worst_minute() -> None:
    assert describe_worse(judgement(evidence=WORSE), ORIGIN) == (
        "success-rate 0.985 of 1 000 calls, stable 0.998 of 40 000 calls in the same 2 minutes,"
        " tolerated 0.9965 (1.25 × stable's failures + 0.1 %)"
        " · evidence 1 230, needed 1 000 · worst minute 12:02: 12 of 1 200 failed"
        f" · 2 instances of abc, stable 3 instances of def · {FROM}"
    )


def test_worse_canary_by_apdex_has_dissatisfied_calls() -> None:
    margins = COMPARE["compare"] | {"tolerated": {"ratio": 1.5, "difference": 0.0125}}
    one = judgement(COMPARE | {"sli": "apdex", "compare": margins}, WORSE, worst=SideMinute(1200, 10, 12.25))

    message = describe_worse(one, ORIGIN)

    assert "tolerated 0.9845 (1.5 × stable's dissatisfied calls + 1.25 %)" in message
    assert "worst minute 12:02: 12.2 of 1 200 dissatisfied · " in message


def test_worse_canary_by_latency_has_milliseconds() -> None:
    one = judgement(
        COMPARE | LATENCY,
        WORSE,
        canary=PooledSide(1000, 0, 312.345),
        stable=PooledSide(40_000, 0, 100),
        worst=SideMinute(1, 420.5, 430.25),
        subjects=("", ""),
    )

    assert describe_worse(one, ORIGIN) == (
        "success-rate 312.3 ms of 1 000 calls, stable 100 ms of 40 000 calls in the same 2 minutes,"
        " tolerated 135 ms (1.25 × stable + 10 ms)"
        f" · evidence 1 230, needed 1 000 · worst minute 12:02: 430.2 ms of 1 call · {FROM}"
    )


@pytest.mark.parametrize(
    ("subjects", "text"),
    [(("a", "b"), "a, stable b · "), (("a", ""), "a · "), (("", ""), ""), (("", "b"), "stable b · ")],
)
def test_origin_has_the_instances_of_both_sides(subjects: tuple[str, str], text: str) -> None:
    message = describe_worse(judgement(evidence=WORSE, subjects=subjects), ORIGIN)

    assert message.endswith(f"failed · {text}{FROM}")


def test_canary_that_misses_an_objective_has_what_is_wanted() -> None:
    assert describe_worse(judgement(OBJECTIVE, WORSE), ORIGIN) == (
        "success-rate 0.985 of 1 000 calls in 2 minutes, wanted 0.99 · evidence 1 230, needed 1 000"
        f" · worst minute 12:02: 12 of 1 200 failed · 2 instances of abc · {FROM}"
    )


def test_suspicious_canary_looks_worse_before_anything_else_is_said() -> None:
    one = judgement(evidence=SUSPICIOUS, incident=True, minutes_to_fine=3)

    assert describe_undecided(one, ORIGIN) == (
        "looks worse, but is not certain yet: success-rate 0.985 of 1 000 calls, stable 0.998 of 40 000 calls in the"
        " same 2 minutes, tolerated 0.9965 (1.25 × stable's failures + 0.1 %) · evidence 99.6, needed 1 000"
        f" · 2 instances of abc, stable 3 instances of def · {FROM}"
    )


def test_incident_of_stable_is_named_before_the_limits() -> None:
    one = judgement(incident=True, canary=BETWEEN)

    assert one.between_limits
    assert describe_undecided(one, ORIGIN) == (
        "stable itself fails too often to promote now: success-rate 0.995 of 1 000 calls, stable 0.998 of 40 000 calls"
        f" in the same 2 minutes · 2 instances of abc, stable 3 instances of def · {FROM}"
    )


def test_canary_between_the_limits_has_both_of_them() -> None:
    one = judgement(canary=BETWEEN, minutes_to_fine=3)

    assert describe_undecided(one, ORIGIN) == (
        "between tolerated and harmful: success-rate 0.995 of 1 000 calls, stable 0.998 of 40 000 calls in the same 2"
        " minutes, tolerated 0.9965 (1.25 × stable's failures + 0.1 %), harmful 0.984"
        f" · 2 instances of abc, stable 3 instances of def · {FROM}"
    )


@pytest.mark.parametrize(
    ("minutes", "estimate"),
    [
        (None, ""),
        (1, "about 1 more minute at this traffic · "),
        (1440, "about 1440 more minutes at this traffic · "),
        (1441, ""),
    ],
)
def test_too_few_calls_have_the_numbers_of_failures_and_the_missing_minutes(minutes: int | None, estimate: str) -> None:
    one = judgement(canary=GOOD, minutes_to_fine=minutes)

    assert describe_undecided(one, ORIGIN) == (
        "too few calls: canary 1 of 1 000 failed, stable 80 of 40 000 in 2 minutes"
        f" · {estimate}2 instances of abc, stable 3 instances of def · {FROM}"
    )


def test_too_few_calls_with_an_objective_have_no_stable() -> None:
    one = judgement(OBJECTIVE | {"sli": "apdex"}, canary=PooledSide(1000, 1.5, 0.9985))

    assert describe_undecided(one, ORIGIN).startswith(
        "too few calls: canary 1.5 of 1 000 dissatisfied in 2 minutes · 2 instances of abc · "
    )


def test_too_few_calls_of_a_latency_have_the_values() -> None:
    one = judgement(COMPARE | LATENCY, canary=PooledSide(10, 0, 90), stable=PooledSide(10, 0, 100))

    assert describe_undecided(one, ORIGIN).startswith(
        "too few calls: success-rate 90 ms of 10 calls, stable 100 ms of 10 calls in the same 2 minutes · "
    )


def test_values_of_one_minute() -> None:
    steps = (EvidenceStep(0, OPEN),)

    assert describe_values(judgement(steps=steps)).endswith(" calls in the same 1 minute")
    assert describe_values(judgement(OBJECTIVE, steps=steps)) == "success-rate 0.985 of 1 000 calls in 1 minute"
    assert " failed, stable 80 of 40 000 in 1 minute" in describe_undecided(judgement(steps=steps, canary=GOOD), ORIGIN)


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (0.00012345, "0.000123"),
        (1, "1"),
        (31.64, "31.6"),
        (99.94, "99.9"),
        (99.96, "100"),
        (123.4, "123"),
        (1234.5, "1 230"),
        (999_999_999, "1 000 000 000"),
        (1e9, "above 10^9"),
    ],
)
def test_evidence_has_three_digits(evidence: float, text: str) -> None:
    assert format_evidence(evidence) == text


def test_value_of_a_latency_has_its_unit() -> None:
    assert format_value(judgement(), 0.987654) == "0.9877"
    assert format_value(judgement(COMPARE | LATENCY), 123.456) == "123.5 ms"


@pytest.mark.parametrize(("block", "than"), [(COMPARE, "worse than stable"), (OBJECTIVE, "worse than the objective")])
def test_worse_finding_is_explained_with_its_confidence(block: dict[str, Any], than: str) -> None:
    assert explain_finding(judgement(block, WORSE, finding=Finding.WORSE, confidence=Confidence(0.0001, 0.1))) == (
        f"The canary is {than}, by more than is tolerated. A canary in order looks like this in fewer than 1 of 10 000"
        " runs."
    )


@pytest.mark.parametrize(
    ("block", "harmful"),
    [
        (COMPARE, "3 × stable's failures + 1 %"),
        (COMPARE | LATENCY, "2 × stable + 50 ms"),
        (OBJECTIVE, "0.97"),
        (OBJECTIVE | LATENCY | {"objective": 200}, "400 ms"),
    ],
)
def test_fine_finding_is_explained_with_what_is_harmful(block: dict[str, Any], harmful: str) -> None:
    assert explain_finding(judgement(block, finding=Finding.FINE, confidence=Confidence(0.0001, 0.1))) == (
        f"The canary is fine. A harmful one ({harmful}) looks this good in fewer than 1 of 10 runs."
    )


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (
            lambda: judgement(evidence=SUSPICIOUS, incident=True),
            "The canary looks worse than tolerated, but the evidence is not sufficient: 99.6 of 1 000.",
        ),
        (
            lambda: judgement(incident=True, canary=BETWEEN),
            "Stable itself fails too often to call the canary fine now.",
        ),
        (
            lambda: judgement(canary=BETWEEN, minutes_to_fine=3),
            "The canary is between tolerated and harmful.",
        ),
        (lambda: judgement(canary=GOOD), "There are too few calls."),
        (lambda: judgement(canary=GOOD, minutes_to_fine=1441), "There are too few calls."),
        (
            lambda: judgement(canary=GOOD, minutes_to_fine=1440),
            "There are too few calls. About 1440 more minutes are needed at this traffic.",
        ),
    ],
)
def test_open_finding_is_explained(one: Callable[[], Judgement], text: str) -> None:
    assert explain_finding(one()) == f"Nothing is found yet. {text}"


def test_short_description_has_the_values_of_both_sides() -> None:
    assert describe_short(judgement(finding=Finding.WORSE)) == "worse: success-rate 0.985, stable 0.998"
    assert describe_short(judgement(OBJECTIVE)) == "open: success-rate 0.985"


BUDGET = WaitBudget(timedelta(minutes=15), NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("block", "reason"), [(COMPARE, Reason.WORSE_THAN_STABLE), (OBJECTIVE, Reason.OBJECTIVE_MISSED)]
)
def test_verdict_of_a_worse_canary_is_failed(block: dict[str, Any], reason: Reason) -> None:
    one = judgement(block, WORSE, finding=Finding.WORSE)

    verdict = judgement_verdict(one, ORIGIN, BUDGET)

    assert (verdict.phase, verdict.reason, verdict.detail) == (Phase.FAILED, reason, describe_worse(one, ORIGIN))


def test_verdict_of_a_fine_canary_is_successful_without_a_message() -> None:
    verdict = judgement_verdict(judgement(finding=Finding.FINE), ORIGIN, BUDGET)

    assert (verdict.phase, verdict.reason, verdict.detail) == (Phase.SUCCESSFUL, None, "")


def test_verdict_of_an_open_finding_waits() -> None:
    verdict = judgement_verdict(judgement(), ORIGIN, BUDGET)

    assert (verdict.phase, verdict.reason) == (Phase.RUNNING, Reason.UNDECIDED)
    assert verdict.detail.startswith(describe_undecided(judgement(), ORIGIN))
    assert verdict.resume_at == NOON + timedelta(minutes=2)
