"""Judgement of collected minutes: which bets are made, what counts, the sums of both sides, and the result."""

import json
from datetime import UTC, datetime, timedelta
from math import ceil, log
from typing import Any

import pytest

from skywalking_provider.analysis.judging import (
    EvidenceStep,
    Judgement,
    PooledSide,
    first_minute_of_worse,
    judge_sides,
    limit_beside,
    position_of_worse,
)
from skywalking_provider.analysis.window import MeasurementWindow
from skywalking_provider.block import Bound, JudgedSpec
from skywalking_provider.judgement import (
    Confidence,
    Evidence,
    FailureCounts,
    Finding,
    Judge,
    LatencyComparison,
    LatencyMinute,
    LatencyObjective,
    LatencyPair,
    Limit,
    RateComparison,
    RateObjective,
    RatePair,
)
from skywalking_provider.model import Window
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE, OBJECTIVE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOLERATED, HARMFUL = Limit(0.001, 1.25), Limit(0.01, 3)
CLEAN, FAILING = SideMinute(200, 0, 0), SideMinute(200, 100, 100)
CLEAN_PAIR = RatePair(FailureCounts(200, 0, 0), FailureCounts(200, 0, 0))
FAILING_PAIR = RatePair(FailureCounts(200, 100, 100), FailureCounts(200, 0, 0))


def sides(block: dict[str, Any], canary: dict[int, SideMinute], stable: dict[int, SideMinute] | None = None) -> Sides:
    spec = JudgedSpec.model_validate_json(json.dumps(block))
    return Sides(spec, "x", Side(canary), None if stable is None else Side(stable))


def evidence(judge: Judge[Any], *minutes: Any) -> list[Evidence]:
    """Return the evidence after each minute."""
    steps = []
    for minute in minutes:
        judge.add(minute)
        steps.append(judge.evidence)
    return steps


def test_rates_are_compared_with_stable_in_the_minutes_of_both() -> None:
    canary = {4: SideMinute(300, 3, 4), 0: SideMinute(100, 1, 2), 3: SideMinute(10, 9, 9)}
    stable = {0: SideMinute(400, 4, 4), 1: SideMinute(10, 9, 9), 4: SideMinute(600, 5, 8)}

    judgement = judge_sides(sides(COMPARE, canary, stable))

    first, second = evidence(
        Judge(RateComparison(TOLERATED, HARMFUL), Confidence()),
        RatePair(FailureCounts(100, 1, 2), FailureCounts(400, 4, 4)),
        RatePair(FailureCounts(300, 3, 4), FailureCounts(600, 5, 8)),
    )
    assert judgement.steps == (EvidenceStep(0, first), EvidenceStep(4, second))
    assert judgement.evidence == second
    assert judgement.canary == PooledSide(400, 6, 1 - 6 / 400)
    assert judgement.stable == PooledSide(1000, 12, 1 - 12 / 1000)
    assert (judgement.finding, judgement.confidence) == (Finding.OPEN, Confidence())
    assert not judgement.incident


def test_rates_have_the_margins_and_the_confidence_of_the_block() -> None:
    margins = {"tolerated": {"ratio": 1.5, "difference": 0.02}, "harmful": {"ratio": 4, "difference": 0.03}}
    block = COMPARE | {"compare": COMPARE["compare"] | margins, "confidence": {"worse": 0.99, "fine": 0.9}}

    judgement = judge_sides(sides(block, {0: CLEAN}, {0: CLEAN}))

    confidence = Confidence.of(0.99, 0.9)
    judge = Judge(RateComparison(Limit(0.02, 1.5), Limit(0.03, 4)), confidence)
    assert judgement.steps == (EvidenceStep(0, *evidence(judge, CLEAN_PAIR)),)
    assert judgement.confidence == confidence


def test_rates_are_judged_by_an_objective() -> None:
    canary = {2: SideMinute(300, 3, 4), 1: SideMinute(100, 1, 2)}

    judgement = judge_sides(sides(OBJECTIVE | {"objective": 0.98, "harmful": 0.9}, canary))

    judge = Judge(RateObjective(1 - 0.98, 1 - 0.9), Confidence())
    first, second = evidence(judge, FailureCounts(100, 1, 2), FailureCounts(300, 3, 4))
    assert judgement.steps == (EvidenceStep(1, first), EvidenceStep(2, second))
    assert judgement.canary == PooledSide(400, 6, 1 - 6 / 400)
    assert judgement.stable is None


@pytest.mark.parametrize(("keys", "variance"), [({}, 4.0), ({"percentile": 99}, 22.0)])
def test_latency_is_compared_with_stable(keys: dict[str, Any], variance: float) -> None:
    canary = {0: SideMinute(100, 110, 120), 1: SideMinute(300, 130, 140)}
    stable = {0: SideMinute(200, 80, 90), 1: SideMinute(600, 60, 70)}

    judgement = judge_sides(sides(COMPARE | {"sli": "latency"} | keys, canary, stable))

    first, second = evidence(
        Judge(LatencyComparison(Limit(10, 1.25), Limit(50, 2), variance), Confidence()),
        LatencyPair(LatencyMinute(100, 120), LatencyMinute(200, 90)),
        LatencyPair(LatencyMinute(300, 140), LatencyMinute(600, 70)),
    )
    assert judgement.steps == (EvidenceStep(0, first), EvidenceStep(1, second))
    assert judgement.canary == PooledSide(400, 0, 135)
    assert judgement.stable == PooledSide(800, 0, 75)


def test_latency_is_judged_by_an_objective() -> None:
    block = OBJECTIVE | {"sli": "latency", "percentile": 50, "objective": 200, "harmful": 300}

    judgement = judge_sides(sides(block, {0: SideMinute(100, 190, 195)}))

    judge = Judge(LatencyObjective(200, 300, 2.5), Confidence())
    assert judgement.steps == (EvidenceStep(0, *evidence(judge, LatencyMinute(100, 195))),)
    assert judgement.canary == PooledSide(100, 0, 195)


def test_evidence_of_a_worse_canary_begins_later_than_that_of_a_fine_one() -> None:
    minutes = {0: FAILING, 1: CLEAN, 2: CLEAN}

    judgement = judge_sides(sides(COMPARE, minutes, dict.fromkeys(minutes, CLEAN)), worse_from=1)

    def judge() -> Judge[RatePair]:
        return Judge(RateComparison(TOLERATED, HARMFUL), Confidence())

    of_all = evidence(judge(), FAILING_PAIR, CLEAN_PAIR, CLEAN_PAIR)
    of_last = evidence(judge(), CLEAN_PAIR, CLEAN_PAIR)
    assert judgement.steps == (
        EvidenceStep(0, Evidence(1, of_all[0].fine)),
        EvidenceStep(1, Evidence(of_last[0].worse, of_all[1].fine)),
        EvidenceStep(2, Evidence(of_last[1].worse, of_all[2].fine)),
    )


def test_bets_on_a_worse_canary_use_stables_minutes_since_its_evidence_begins() -> None:
    stable = {0: SideMinute(1000, 500, 500), 1: CLEAN}

    judgement = judge_sides(sides(COMPARE, {0: CLEAN, 1: SideMinute(200, 20, 20)}, stable), worse_from=1)

    pair = RatePair(FailureCounts(200, 20, 20), FailureCounts(200, 0, 0))
    (expected,) = evidence(Judge(RateComparison(TOLERATED, HARMFUL), Confidence()), pair)
    assert judgement.steps[1].evidence.worse == expected.worse
    assert judgement.worst_minute == 1


def test_confidence_limits_what_a_minute_wins_from_the_later_start_too() -> None:
    block = COMPARE | {"confidence": {"worse": 0.95, "fine": 0.9}}

    judgement = judge_sides(sides(block, {0: CLEAN, 1: FAILING}, {0: CLEAN, 1: CLEAN}), worse_from=1)

    judge = Judge(RateComparison(TOLERATED, HARMFUL), Confidence.of(0.95, 0.9))
    assert [judgement.evidence.worse] == [one.worse for one in evidence(judge, FAILING_PAIR)]


@pytest.mark.parametrize("worse_from", [-1, 0, 3])
def test_all_minutes_are_evidence_of_a_worse_canary_if_it_begins_with_the_first(worse_from: int) -> None:
    minutes = {3: FAILING, 4: CLEAN}

    judgement = judge_sides(sides(COMPARE, minutes, {3: CLEAN, 4: CLEAN}), worse_from)

    judge = Judge(RateComparison(TOLERATED, HARMFUL), Confidence())
    assert [one.evidence for one in judgement.steps] == evidence(judge, FAILING_PAIR, CLEAN_PAIR)


@pytest.mark.parametrize("worst", [0, 1, 2])
def test_worst_minute_has_the_strongest_bet(worst: int) -> None:
    minutes = {0: SideMinute(200, 2, 2), 1: SideMinute(200, 2, 2), 2: SideMinute(200, 2, 2)} | {worst: FAILING}

    assert judge_sides(sides(COMPARE, minutes, dict.fromkeys(minutes, CLEAN))).worst_minute == worst


def test_failing_canary_is_worse_and_its_result_shows_the_evidence_up_to_a_limit() -> None:
    minutes = dict.fromkeys(range(20), FAILING)

    judgement = judge_sides(sides(COMPARE, minutes, dict.fromkeys(minutes, CLEAN)))

    assert judgement.evidence.worse > 1e9
    assert judgement.result() == {
        "verdict": "worse",
        "canary": 0.5,
        "stable": 1.0,
        "difference": -0.5,
        "tolerated": 0.999,
        "harmful": 0.99,
        "evidence": {"worse": 1e9, "fine": pytest.approx(judgement.evidence.fine, rel=1e-5)},
        "calls": {"canary": 4000, "stable": 4000},
        "minutes": 20,
    }


def test_result_has_six_digits() -> None:
    canary, stable = {0: SideMinute(7000, 3, 3)}, {0: SideMinute(9000, 2, 2)}

    result = judge_sides(sides(COMPARE, canary, stable)).result()

    numbers = {name: result[name] for name in ("canary", "stable", "difference", "tolerated", "harmful")}
    assert numbers == {
        "canary": 0.999571,
        "stable": 0.999778,
        "difference": -0.000206349,
        "tolerated": 0.998722,
        "harmful": 0.989333,
    }


def test_result_of_an_objective_has_no_stable() -> None:
    judgement = judge_sides(sides(OBJECTIVE, {0: CLEAN}))

    assert judgement.result() == {
        "verdict": "fine",
        "canary": 1.0,
        "tolerated": 0.99,
        "harmful": 0.97,
        "evidence": {
            "worse": pytest.approx(judgement.evidence.worse, rel=1e-5),
            "fine": pytest.approx(judgement.evidence.fine, rel=1e-5),
        },
        "calls": {"canary": 200},
        "minutes": 1,
    }


def test_result_of_a_latency_is_in_milliseconds() -> None:
    canary, stable = {0: SideMinute(100, 120, 120)}, {0: SideMinute(100, 80, 80)}

    result = judge_sides(sides(COMPARE | {"sli": "latency"}, canary, stable)).result()

    numbers = {name: result[name] for name in ("canary", "stable", "difference", "tolerated", "harmful")}
    assert numbers == {"canary": 120.0, "stable": 80.0, "difference": 40.0, "tolerated": 110.0, "harmful": 210.0}


def test_fine_canary_is_found_and_needs_one_more_minute_at_least() -> None:
    minutes = dict.fromkeys(range(20), CLEAN)

    judgement = judge_sides(sides(COMPARE, minutes, minutes))

    assert (judgement.finding, judgement.minutes_to_fine) == (Finding.FINE, 1)


@pytest.mark.parametrize("count", [1, 4])
def test_estimate_follows_from_the_growth_of_the_evidence_so_far(count: int) -> None:
    few = dict.fromkeys(range(count), SideMinute(40, 0, 0))

    judgement = judge_sides(sides(COMPARE, few, few))

    test = RateComparison(TOLERATED, HARMFUL)
    bets = [test.bets(RatePair(FailureCounts(40, 0, 0), FailureCounts(40, 0, 0))).fine for _ in few]
    growth = max(sum(column) for column in zip(*bets, strict=True)) / count
    assert judgement.minutes_to_fine == ceil(log(20 / judgement.evidence.fine) / growth)


def test_worse_canary_has_no_estimate() -> None:
    assert judge_sides(sides(COMPARE, {0: FAILING}, {0: CLEAN})).minutes_to_fine is None


def test_canary_is_not_fine_while_stable_itself_fails() -> None:
    canary, stable = dict.fromkeys(range(20), CLEAN), dict.fromkeys(range(20), CLEAN)

    during = judge_sides(sides(COMPARE, canary, stable | {19: FAILING}))
    after = judge_sides(sides(COMPARE, canary, stable | {10: FAILING}))

    assert (during.finding, during.incident) == (Finding.OPEN, True)
    assert (after.finding, after.incident) == (Finding.FINE, False)


def test_incident_is_that_of_all_minutes_if_the_other_evidence_begins_later() -> None:
    canary, stable = {0: CLEAN, 1: CLEAN}, {0: CLEAN, 1: FAILING}

    assert judge_sides(sides(COMPARE, canary, stable), worse_from=2).incident


@pytest.mark.parametrize(
    ("minutes", "first"),
    [(0, 0), (1, 0), (480, 0), (481, 480), (482, 480), (960, 480), (961, 960)],
)
def test_evidence_of_a_worse_canary_begins_anew_every_480_minutes(minutes: int, first: int) -> None:
    assert first_minute_of_worse(minutes) == first


@pytest.mark.parametrize(
    ("run_start", "buckets", "position"),
    [
        (None, 10, 10),  # a run without times: every minute is before its start
        (NOON, 10, 0),
        (NOON, 480, 0),
        (NOON - timedelta(minutes=1), 480, 479),  # the run has 481 minutes; the window begins with its second one
        (NOON - timedelta(minutes=600), 480, 360),  # 1080 minutes, of which 960 were judged before
        (NOON + timedelta(minutes=2), 10, 2),
    ],
)
def test_position_of_worse_is_counted_from_the_start_of_the_run(
    run_start: datetime | None, buckets: int, position: int
) -> None:
    end = NOON + timedelta(minutes=buckets)
    window = MeasurementWindow(Window(NOON, end), end, NOON, run_start=run_start)

    assert position_of_worse(window) == position


@pytest.mark.parametrize(
    ("sli", "stable", "limit"), [("success-rate", 0.99, 1 - (0.02 + 2 * 0.01)), ("apdex", 0.9, 1 - (0.02 + 2 * 0.1))]
)
def test_limit_beside_stable_is_a_rate_of_failures(sli: str, stable: float, limit: float) -> None:
    spec = sides(COMPARE | {"sli": sli}, {}).spec

    assert limit_beside(spec, Bound(0.02, 2), stable) == pytest.approx(limit, rel=1e-12)


def test_limit_beside_stable_is_a_latency() -> None:
    assert limit_beside(sides(COMPARE | {"sli": "latency"}, {}).spec, Bound(30, 2), 100) == 230


def test_judgement_of_an_objective_has_the_objective_for_a_limit() -> None:
    judgement: Judgement = judge_sides(sides(OBJECTIVE, {0: CLEAN}))

    assert (judgement.tolerated, judgement.harmful) == (0.99, pytest.approx(0.97))
