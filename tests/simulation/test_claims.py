"""Claims of the simulation are broken by the figures that they exclude."""

from dataclasses import replace

import pytest

from bench.simulation.claims import (
    PUBLISHED_SCENARIOS,
    Claim,
    Outcomes,
    check_claims,
    compare_median,
    compare_share,
)
from bench.simulation.judges import COMPARISON_JUDGE, OBJECTIVE_JUDGE, OURS
from bench.simulation.outcomes import Outcome, Times
from bench.simulation.published import FALSE_ABORTS, FAULT_COLUMNS, FAULTS_FOUND, HEALTHY_COLUMNS, parse_share
from bench.simulation.report import format_share

RUNS = 20_000


def times(count: int, minute: int = 1, runs: int = RUNS) -> Times:
    """Return an event of some rollouts in one minute of 30."""
    return Times(runs, [count if number == minute else 0 for number in range(1, 31)])


def published_outcomes() -> dict[tuple[str, str], Outcome]:
    """Return outcomes that are exactly as published."""
    outcomes = {
        (scenario, judge): Outcome(times(round(RUNS * float(percent) / 100)))
        for judge, shares in FALSE_ABORTS.items()
        for scenario, percent in zip(HEALTHY_COLUMNS, shares, strict=True)
    }
    outcomes |= {
        (scenario, judge): Outcome(times(round(RUNS * float(percent) / 100), median or 30))
        for judge, figures in FAULTS_FOUND.items()
        for scenario, (median, percent) in zip(FAULT_COLUMNS, figures, strict=True)
    }
    for judge in OURS:
        outcomes |= {(name, judge): Outcome(times(0), times(RUNS)) for name in ("T12", "T60")}
        outcomes["P12", judge] = Outcome(times(RUNS), times(RUNS // 50))
    outcomes["L1", COMPARISON_JUDGE] = Outcome(times(0, runs=2000), times(2000, runs=2000))
    return outcomes


def broken(outcomes: Outcomes, difference: float = 1e-15) -> list[str]:
    return [claim.name for claim in check_claims(outcomes, [difference]) if not claim.ok]


def test_published_figures_break_no_claim() -> None:
    assert not broken(published_outcomes())


@pytest.mark.parametrize("judge", OURS)
@pytest.mark.parametrize("scenario", PUBLISHED_SCENARIOS)
def test_false_aborts_above_one_of_a_thousand_break_the_claim(judge: str, scenario: str) -> None:
    outcomes = published_outcomes()
    name = f"{judge}: false aborts in {scenario}"

    outcomes[scenario, judge] = Outcome(times(RUNS // 1000))
    assert name not in broken(outcomes)
    outcomes[scenario, judge] = Outcome(times(RUNS // 1000 + 1))

    # A shared incident misses the objective for both versions.
    assert (name in broken(outcomes)) == ((judge, scenario) != (OBJECTIVE_JUDGE, "H4"))


@pytest.mark.parametrize(
    ("scenario", "judge", "outcome", "claim"),
    [
        pytest.param("F1", "objective", Outcome(times(RUNS, 5)), "objective: median minutes in F1", id="F1 objective"),
        pytest.param("F1", "compare", Outcome(times(RUNS, 6)), "compare: median minutes in F1", id="F1 compare"),
        pytest.param("F1", "compare", Outcome(times(9_000)), "compare: median minutes in F1", id="F1 rarely found"),
        pytest.param("F6", "compare", Outcome(times(RUNS, 2)), "compare: median minutes in F6", id="F6 too early"),
        pytest.param("F6", "objective", Outcome(times(RUNS, 4)), "objective: median minutes in F6", id="F6 too late"),
        pytest.param(
            "P12", "compare", Outcome(times(0), times(1001)), "compare: ever Successful in P12", id="false passes"
        ),
        pytest.param("T60", "objective", Outcome(times(1), times(9)), "objective: Failed in T60", id="thin and Failed"),
        pytest.param(
            "L1", "compare", Outcome(times(3, runs=2000)), "compare latency: false aborts in L1", id="latency"
        ),
        pytest.param(
            "H1", "Fisher's test, 5 %", Outcome(times(4000)), "Fisher's test, 5 %: share aborted in H1 as published",
            id="a baseline as published",
        ),
    ],
)  # fmt: skip
def test_figure_beyond_its_limit_breaks_the_claim(scenario: str, judge: str, outcome: Outcome, claim: str) -> None:
    outcomes = published_outcomes()
    assert (scenario, judge) in outcomes
    outcomes[scenario, judge] = outcome

    assert claim in broken(outcomes)


def test_difference_from_the_judge_of_the_product_breaks_a_claim() -> None:
    outcomes = published_outcomes()

    assert not broken(outcomes, 1e-9)
    (name,) = broken(outcomes, 1.1e-9)
    assert name.startswith("judge of the product")


def test_claim_prints_its_figure_and_limit() -> None:
    claim = Claim("compare: median minutes in F1", "5", "<= 5", ok=True)

    assert str(claim) == "ok compare: median minutes in F1 5 <= 5"
    assert str(replace(claim, ok=False)).startswith("BROKEN compare")


@pytest.mark.parametrize(
    ("percent", "rounding"), [("34", 0.005), ("9.12", 0.00005), ("0.010", 0.000005), ("0", 0.0), ("100", 0.005)]
)
def test_digits_of_a_published_share_are_its_rounding(percent: str, rounding: float) -> None:
    share = parse_share(percent, RUNS)

    assert (share.share, share.rounding) == (pytest.approx(float(percent) / 100), pytest.approx(rounding))


@pytest.mark.parametrize(("count", "ok"), [(6800, True), (7100, True), (7400, False), (6500, True), (6300, False)])
def test_share_agrees_within_three_standard_errors_and_rounding(count: int, ok: bool) -> None:
    # 34 % of 20,000: three standard errors of the difference are 1.42 points, rounding 0.5.
    assert compare_share("ratio", "H1", times(count), "34", RUNS).ok is ok


@pytest.mark.parametrize(("third", "ok"), [(10_000, True), (9_000, False), (9_600, True), (10_400, True)])
def test_median_agrees_within_the_quantiles_of_three_standard_errors(third: int, ok: bool) -> None:
    # Half of the rollouts by minute 2, so that both 2 and 3 are possible medians; three standard errors are 2.4 points.
    split = Times(RUNS, [0, third, RUNS - third])

    assert compare_median("Fisher", "F2", split, 2, 5_000).ok is ok


@pytest.mark.parametrize(("count", "ok"), [(9_000, True), (9_900, True), (11_000, False)])
def test_median_that_is_never_reached_agrees_with_a_dash(count: int, ok: bool) -> None:
    assert compare_median("Mann–Whitney", "F2", times(count), None, 5_000).ok is ok


@pytest.mark.parametrize(
    ("count", "text"), [(0, "< 0.015"), (RUNS, "100"), (7, "0.035 ± 0.026"), (6800, "34.00 ± 0.67")]
)
def test_share_is_written_with_two_standard_errors(count: int, text: str) -> None:
    assert format_share(times(count)) == text


def test_share_of_fewer_rollouts_has_a_wider_limit() -> None:
    assert format_share(times(0, runs=3000)) == "< 0.1"


def test_quantiles_count_rollouts_without_the_event() -> None:
    found = Times(10, [1, 4, 0, 3])

    assert (found.median, found.quantile(0.8), found.quantile(0.9)) == (2, 4, None)
    assert (found.share, found.share_by(2)) == (0.8, 0.5)
