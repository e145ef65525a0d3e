"""Claims about the judgement, checked with simulated outcomes. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from bench.simulation import published
from bench.simulation.judges import COMPARISON_JUDGE, OBJECTIVE_JUDGE, OURS
from bench.simulation.outcomes import Outcome, Times
from bench.simulation.published import FAULT_COLUMNS, FAULTS_FOUND, HEALTHY_COLUMNS, PublishedShare

Outcomes = Mapping[tuple[str, str], Outcome]
"""Outcome by scenario and judge."""

MAX_FALSE_ABORTS: Final = 0.001
MAX_FALSE_PASSES: Final = 0.05
MAX_DIFFERENCE: Final = 1e-9
STANDARD_ERRORS: Final = 3
PUBLISHED_SCENARIOS: Final = ("H1", "H2", "H4", "H5", "H6", "H8", "H9", "H11")
_SHARED_INCIDENT: Final = "H4"  # both sides miss the objective


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim with its figure.

    Attributes:
        name: What is claimed.
        figure: Simulated figure.
        limit: What the figure must be.
        ok: Whether it is.
    """

    name: str
    figure: str
    limit: str
    ok: bool

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'BROKEN'} {self.name} {self.figure} {self.limit}"


def check_claims(outcomes: Outcomes, differences: Iterable[float]) -> Iterator[Claim]:
    """Yield all claims.

    Args:
        outcomes: Outcomes of all scenarios.
        differences: Relative differences between the judge of the product and the vectorised one.
    """
    yield _check_product(max(differences))
    for judge in reversed(OURS):
        for scenario in PUBLISHED_SCENARIOS:
            if (judge, scenario) != (OBJECTIVE_JUDGE, _SHARED_INCIDENT):
                yield _check_false_aborts(judge, scenario, outcomes[scenario, judge].aborted)
    yield _check_median(OBJECTIVE_JUDGE, "F1", outcomes, 4)
    yield _check_median(COMPARISON_JUDGE, "F1", outcomes, 5)
    for judge in OURS:
        yield _check_median(judge, "F6", outcomes, 3, exact=True)
    for (scenario, judge), outcome in outcomes.items():
        if scenario.startswith("P") and outcome.fine:
            yield _check_false_passes(judge, scenario, outcome.fine)
        elif scenario.startswith("T"):
            aborted = outcome.aborted.count
            yield Claim(f"{judge}: Failed in {scenario}", str(aborted), "= 0", aborted == 0)
        elif scenario.startswith("L"):
            yield _check_false_aborts(f"{judge} latency", scenario, outcome.aborted)
    yield from check_published(outcomes)


def check_published(outcomes: Outcomes) -> Iterator[Claim]:
    """Yield the comparison with each published figure, within three standard errors of both simulations."""
    for judge, shares in published.FALSE_ABORTS.items():
        runs = published.FEWER_RUNS.get(judge, published.HEALTHY_RUNS)
        for scenario, percent in zip(HEALTHY_COLUMNS, shares, strict=True):
            yield compare_share(judge, scenario, outcomes[scenario, judge].aborted, percent, runs)
    for judge, figures in FAULTS_FOUND.items():
        for scenario, (median, percent) in zip(FAULT_COLUMNS, figures, strict=True):
            outcome = outcomes[scenario, judge]
            if not outcome.aborted.runs:
                continue
            # Rollouts that were aborted before the fault began count in neither simulation.
            kept = outcome.aborted.runs / (outcome.aborted.runs + outcome.aborted_before)
            runs = round(kept * min(published.FEWER_RUNS.get(judge, published.FAULT_RUNS), published.FAULT_RUNS))
            yield compare_median(judge, scenario, outcome.aborted, median, max(1, runs))
            yield compare_share(judge, scenario, outcome.aborted, percent, max(1, runs))


def compare_share(judge: str, scenario: str, times: Times, percent: str, runs: int) -> Claim:
    """Compare the share of aborted rollouts with a published one."""
    other = published.parse_share(percent, runs)
    allowed = STANDARD_ERRORS * _standard_error(times, other) + other.rounding
    return Claim(
        f"{judge}: share aborted in {scenario} as published",
        _percent(times.share),
        f"= {percent} ± {100 * allowed:.2g} %",
        abs(times.share - other.share) <= allowed + 1e-12,
    )


def compare_median(judge: str, scenario: str, times: Times, median: int | None, runs: int) -> Claim:
    """Compare the median of the minutes with a published one, by the quantiles that three standard errors allow."""
    margin = STANDARD_ERRORS * 0.5 * sqrt(1 / max(1, times.runs) + 1 / runs)
    lowest, highest = (times.quantile(min(1.0, max(0.0, 0.5 + sign * margin))) for sign in (-1, 1))
    never = float("inf")
    low, high, wanted = (never if one is None else one for one in (lowest, highest, median))
    return Claim(
        f"{judge}: median minutes in {scenario} as published",
        format_minutes(times.median),
        f"= {format_minutes(median)}, quantiles within three standard errors {format_minutes(lowest)}"
        f" to {format_minutes(highest)}",
        low <= wanted <= high,
    )


def format_minutes(minutes: int | None) -> str:
    """Return minutes as text; a dash for never."""
    return "–" if minutes is None else str(minutes)


def _standard_error(times: Times, other: PublishedShare) -> float:
    """Return the standard error of the difference of both shares, if both have the same expectation."""
    pooled = (times.count + other.share * other.runs) / (times.runs + other.runs)
    return sqrt(pooled * (1 - pooled) * (1 / max(1, times.runs) + 1 / other.runs))


def _check_product(difference: float) -> Claim:
    return Claim(
        "judge of the product: largest relative difference from the vectorised one",
        f"{difference:.1e}",
        f"<= {MAX_DIFFERENCE:.0e}",
        difference <= MAX_DIFFERENCE,
    )


def _check_false_aborts(judge: str, scenario: str, times: Times) -> Claim:
    name, limit = f"{judge}: false aborts in {scenario}", f"<= {_percent(MAX_FALSE_ABORTS)}"
    return Claim(name, _percent(times.share), limit, times.share <= MAX_FALSE_ABORTS)


def _check_false_passes(judge: str, scenario: str, times: Times) -> Claim:
    name, limit = f"{judge}: ever Successful in {scenario}", f"<= {_percent(MAX_FALSE_PASSES)}"
    return Claim(name, _percent(times.share), limit, times.share <= MAX_FALSE_PASSES)


def _check_median(judge: str, scenario: str, outcomes: Outcomes, limit: int, *, exact: bool = False) -> Claim:
    median = outcomes[scenario, judge].aborted.median
    ok = median is not None and (median == limit if exact else median <= limit)
    return Claim(
        f"{judge}: median minutes in {scenario}", format_minutes(median), f"{'=' if exact else '<='} {limit}", ok
    )


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
