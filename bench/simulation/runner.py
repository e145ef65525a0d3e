"""Runs of all scenarios with all judges. Each scenario has a seed of its own: `SEED` and its position in the list."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.simulation import agreement
from bench.simulation.agreement import SAMPLE
from bench.simulation.baselines import count_failed_looks
from bench.simulation.judges import (
    BASELINES,
    COMPARISON_JUDGE,
    CONFIDENCE,
    HARMFUL,
    HARMFUL_LATENCY,
    HARMFUL_RATE,
    LATENCY_RUNS,
    OBJECTIVE_JUDGE,
    OURS,
    RUNS,
    TOLERATED,
    TOLERATED_LATENCY,
    TOLERATED_RATE,
)
from bench.simulation.latency import LATENCIES, LatencyScenario, draw_latencies
from bench.simulation.outcomes import Outcome, count_outcome
from bench.simulation.scenarios import (
    FAULTS,
    HARMFUL_COMPARISON,
    HARMFUL_OBJECTIVE,
    HEALTHY,
    THIN,
    Rollouts,
    Scenario,
    draw_rollouts,
)
from bench.simulation.vectorised import Findings, judge_comparison, judge_latency, judge_objective
from skywalking_provider.judgement.latency import MEAN_VARIANCE

SEED: Final = 14


@dataclass(frozen=True, slots=True)
class Result:
    """Outcomes of all judges in one scenario.

    Attributes:
        name: Name of the scenario.
        title: Description.
        seed: Seed of the random numbers.
        outcomes: Outcome by name of the judge.
        difference: Largest relative difference between the judge of the product and the vectorised one, on the sample.
        seconds: CPU time.
    """

    name: str
    title: str
    seed: tuple[int, int]
    outcomes: dict[str, Outcome]
    difference: float
    seconds: float


def run_scenarios(runs: int = RUNS, latency_runs: int = LATENCY_RUNS, sample: int = SAMPLE) -> Iterator[Result]:
    """Yield the result of each scenario. With fewer runs, the slow judges have fewer in proportion."""
    steps: list[Callable[[int], Result]] = []
    steps += [_rate_step(one, runs, sample, OURS, baselines=True) for one in HEALTHY + FAULTS]
    steps += [_rate_step(one, runs, sample, OURS) for one in THIN]
    steps += [_rate_step(one, runs, sample, (OBJECTIVE_JUDGE,)) for one in HARMFUL_OBJECTIVE]
    steps += [_rate_step(one, runs, sample, (COMPARISON_JUDGE,)) for one in HARMFUL_COMPARISON]
    steps += [_latency_step(one, latency_runs, sample) for one in LATENCIES]
    for number, step in enumerate(steps):
        yield step(number)


def _rate_step(
    scenario: Scenario, runs: int, sample: int, ours: tuple[str, ...], *, baselines: bool = False
) -> Callable[[int], Result]:
    def run(number: int) -> Result:
        started, seed = time.process_time(), (SEED, number)
        rollouts = draw_rollouts(scenario, runs, np.random.default_rng(seed))
        outcomes: dict[str, Outcome] = {}
        for judge in BASELINES if baselines else ():
            failed = judge.fail(rollouts.first(max(1, judge.runs * runs // RUNS)))
            aborts = count_failed_looks(failed, judge.failure_limit)
            outcomes[judge.name] = count_outcome(aborts, scenario.minutes, scenario.begin)
        differences = []
        for name in ours:
            findings, shipped = _judge(name, rollouts), _judge_sample(name, rollouts.first(sample))
            differences.append(agreement.largest_difference(shipped, findings))
            outcomes[name] = _count(shipped, findings, scenario.minutes, scenario.begin)
        used = time.process_time() - started
        return Result(scenario.name, scenario.title, seed, outcomes, max(differences), used)

    return run


def _latency_step(scenario: LatencyScenario, runs: int, sample: int) -> Callable[[int], Result]:
    def run(number: int) -> Result:
        started, seed = time.process_time(), (SEED, number)
        rollouts = draw_latencies(scenario, runs, np.random.default_rng(seed))
        findings = judge_latency(rollouts, TOLERATED_LATENCY, HARMFUL_LATENCY, MEAN_VARIANCE, CONFIDENCE)
        shipped = agreement.judge_latency_sample(rollouts.first(sample))
        difference = agreement.largest_difference(shipped, findings)
        outcomes = {COMPARISON_JUDGE: _count(shipped, findings, scenario.minutes)}
        used = time.process_time() - started
        return Result(scenario.name, scenario.title, seed, outcomes, difference, used)

    return run


def _judge(name: str, rollouts: Rollouts) -> Findings:
    if name == OBJECTIVE_JUDGE:
        return judge_objective(rollouts, TOLERATED_RATE, HARMFUL_RATE, CONFIDENCE)
    return judge_comparison(rollouts, TOLERATED, HARMFUL, CONFIDENCE)


def _judge_sample(name: str, rollouts: Rollouts) -> Findings:
    if name == OBJECTIVE_JUDGE:
        return agreement.judge_objective_sample(rollouts)
    return agreement.judge_comparison_sample(rollouts)


def _count(shipped: Findings, vectorised: Findings, minutes: int, begin: int = 0) -> Outcome:
    """Count the sample as the judge of the product judges it, and the rest as the vectorised one does."""
    rest = len(shipped.worse)
    worse = np.concatenate([shipped.worse, vectorised.worse[rest:]])
    fine = np.concatenate([shipped.fine, vectorised.fine[rest:]])
    return count_outcome(count_failed_looks(worse, 0), minutes, begin, count_failed_looks(fine, 0))
