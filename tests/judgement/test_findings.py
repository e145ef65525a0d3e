"""Findings from evidence, the confidence that is wanted, and the assumptions on latency."""

import pytest

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
    decide,
    estimate_minutes,
    latency_variance,
)
from skywalking_provider.judgement.evidence import FineEvidence, WorseEvidence, is_suspicious
from tests.judgement.cases import HARMFUL, TOLERATED

SUSPICIOUS = 1000**0.5
CLEAN, FAILED = FailureCounts(120, 0, 0), FailureCounts(120, 120, 120)


@pytest.mark.parametrize(
    ("worse", "fine", "finding"),
    [
        (1000, 0, Finding.WORSE),
        (1000, 80, Finding.WORSE),
        (999.9, 0, Finding.OPEN),
        (1, 20, Finding.FINE),
        (1, 19.9, Finding.OPEN),
        (SUSPICIOUS * 0.999, 20, Finding.FINE),
        (SUSPICIOUS * 1.001, 20, Finding.OPEN),
        (SUSPICIOUS * 1.001, 80, Finding.OPEN),
    ],
)
def test_finding_follows_from_the_evidence(worse: float, fine: float, finding: Finding) -> None:
    assert decide(Evidence(worse, fine), Confidence()) is finding


def test_canary_is_not_fine_during_an_incident_but_worse() -> None:
    assert decide(Evidence(1, 80), Confidence(), held=True) is Finding.OPEN
    assert decide(Evidence(1000, 80), Confidence(), held=True) is Finding.WORSE


def test_evidence_is_suspicious_from_the_root_of_what_is_needed() -> None:
    confidence = Confidence(alpha=1 / 64)

    assert is_suspicious(Evidence(8, 0), confidence)
    assert not is_suspicious(Evidence(7.999, 0), confidence)


@pytest.mark.parametrize(
    ("worse", "fine", "growth", "minutes"),
    [
        (1, 1, 0.5, 6),  # ln 20 = 2.9957
        (1, 0.5, 0.5, 8),  # ln 40 = 3.6889
        (1, 19.9, 1, 1),
        (1, 30, 0.5, 1),
        (SUSPICIOUS * 0.999, 2, 0.5, 5),  # ln 10 = 2.3026
        (SUSPICIOUS * 1.001, 2, 0.5, None),
        (1, 1, 0, None),
        (1, 1, -1, None),
        (1, 0, 0.5, None),
    ],
)
def test_estimate_of_the_missing_minutes_follows_from_the_growth(
    worse: float, fine: float, growth: float, minutes: int | None
) -> None:
    assert estimate_minutes(Evidence(worse, fine), Confidence(), growth) == minutes


@pytest.mark.parametrize(
    ("worse", "fine", "confidence"),
    [
        (0.999, 0.95, Confidence(0.001, 0.05)),
        (0.9999, 0.9, Confidence(0.0001, 0.1)),
        (0.999999, 0.999, Confidence(0.000001, 0.001)),
    ],
)
def test_confidence_of_decimals_has_the_exact_probabilities(worse: float, fine: float, confidence: Confidence) -> None:
    assert Confidence.of(worse, fine) == confidence


def test_default_confidence_needs_evidence_of_a_thousand_and_of_twenty() -> None:
    assert (Confidence().worse_evidence, Confidence().fine_evidence) == (1000, 20)
    assert Confidence.of(0.999, 0.95) == Confidence()


@pytest.mark.parametrize(
    ("stable", "incident"), [((1000, 163, 163), False), ((1000, 164, 164), True), ((1000, 0, 164), True)]
)
def test_incident_begins_where_half_of_the_canarys_calls_would_not_be_harmful(
    stable: tuple[int, int, int], *, incident: bool
) -> None:
    test = RateComparison(TOLERATED, HARMFUL)

    assert test.is_incident(RatePair(CLEAN, FailureCounts(*stable))) is incident


def test_incident_includes_the_limit() -> None:
    test = RateComparison(TOLERATED, Limit(0.25, 2))

    assert test.is_incident(RatePair(CLEAN, FailureCounts(80, 10, 10)))


def test_incident_is_that_of_the_last_minute() -> None:
    judge = Judge(RateComparison(TOLERATED, HARMFUL), Confidence())
    found = [judge.incident]

    for stable in (CLEAN, FAILED, CLEAN):
        judge.add(RatePair(CLEAN, stable))
        found.append(judge.incident)

    assert found == [False, False, True, False]


def test_growth_is_that_of_the_best_bet_per_minute() -> None:
    judge = Judge(RateObjective(0.01, 0.03), Confidence())
    assert judge.fine_growth == 0

    first, second = judge.add(CLEAN), judge.add(FailureCounts(120, 2, 2))

    sums = [one + other for one, other in zip(first.fine, second.fine, strict=True)]
    assert judge.fine_growth == pytest.approx(max(sums) / 2, rel=1e-12)


def test_one_bad_minute_removes_the_evidence_of_many_good_ones_and_two_restore_it() -> None:
    judge = Judge(RateObjective(0.01, 0.03), Confidence())
    for _ in range(200):
        judge.add(CLEAN)
    assert judge.evidence.fine == pytest.approx(80)

    judge.add(FailureCounts(120, 15, 15))
    assert judge.evidence.fine < 20

    judge.add(CLEAN)
    judge.add(CLEAN)
    assert judge.evidence.fine > 20


def test_evidence_of_a_single_minute_is_limited_by_the_cap() -> None:
    judge = Judge(RateObjective(0.01, 0.03), Confidence())

    judge.add(FAILED)

    assert judge.evidence.worse == pytest.approx(0.5 * 1000**0.4 + 0.5, rel=1e-12)


def test_evidence_of_the_longest_run_stays_below_the_largest_number() -> None:
    judge = Judge(RateObjective(0.01, 0.03), Confidence(alpha=1e-6))
    for _ in range(480):
        judge.add(FAILED)

    assert judge.evidence.worse == pytest.approx(1e290)


@pytest.mark.parametrize(("percentile", "variance"), [(None, 4), (50, 2.5), (75, 3), (90, 5), (95, 7.5), (99, 22)])
def test_latency_variance_is_that_of_the_mean_or_of_the_percentile(percentile: int | None, variance: float) -> None:
    assert latency_variance(percentile) == variance


def test_latency_without_a_variance_is_a_mean() -> None:
    minute = LatencyMinute(50, 400)

    assert LatencyObjective(300, 600).bets(minute) == LatencyObjective(300, 600, 4).bets(minute)
    assert LatencyComparison(TOLERATED, HARMFUL).bets(LatencyPair(minute, minute)) == LatencyComparison(
        TOLERATED, HARMFUL, 4
    ).bets(LatencyPair(minute, minute))


def test_latency_of_few_calls_reads_low_and_is_less_evidence_that_the_canary_is_fine() -> None:
    test = LatencyComparison(Limit(10, 1.25), Limit(50, 2))

    def fine(canary: int, stable: int) -> float:
        return test.bets(LatencyPair(LatencyMinute(canary, 100), LatencyMinute(stable, 100))).fine[2]

    variance = 0.01 + 4 * (1 / 20 + 1 / 80)
    distance = 0.9162907318741551  # ln 2.5: harmful is 250 ms
    assert fine(80, 20) == pytest.approx((distance - 0.5) / variance, rel=1e-9)
    assert fine(20, 80) == pytest.approx((distance - 2 * (1 / 20 - 1 / 80) - 0.5) / variance, rel=1e-9)


def test_latency_below_a_millisecond_counts_as_one() -> None:
    def bets(milliseconds: float) -> list[object]:
        minute = LatencyMinute(50, milliseconds)
        comparison = LatencyComparison(Limit(10, 1.25), Limit(50, 2))
        return [LatencyObjective(300, 600).bets(minute), comparison.bets(LatencyPair(minute, minute))]

    assert bets(0) == bets(0.5) == bets(1) != bets(1.1)


@pytest.mark.parametrize("evidence", [WorseEvidence(0.001), FineEvidence(0.05)], ids=["worse", "fine"])
def test_minute_with_another_number_of_bets_is_an_error(evidence: WorseEvidence | FineEvidence) -> None:
    evidence.add([0.1, 0.2])

    with pytest.raises(ValueError, match="zip"):
        evidence.add([0.1])
