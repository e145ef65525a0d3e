"""Scenarios of the simulation have the means, bursts and disturbances that they describe."""

import numpy as np
import pytest

from bench.simulation.latency import LATENCIES, draw_latencies
from bench.simulation.scenarios import FAULTS, HARMFUL_COMPARISON, HEALTHY, THIN, Rollouts, Scenario, draw_rollouts

RUNS = 1000
BY_NAME = {one.name: one for one in HEALTHY + FAULTS}
UNDISTURBED = [one for one in HEALTHY + FAULTS + THIN + HARMFUL_COMPARISON if not one.disturbance]


def draw(scenario: Scenario) -> Rollouts:
    return draw_rollouts(scenario, RUNS, np.random.default_rng(1))


def rates(failures: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """Return the failure rate of each minute, over all rollouts."""
    return failures.sum(axis=0) / calls.sum(axis=0)


@pytest.mark.parametrize("scenario", UNDISTURBED, ids=lambda one: f"{one.name} {one.title}")
def test_scenario_has_its_calls_and_failure_rates(scenario: Scenario) -> None:
    rollouts = draw(scenario)

    both = rollouts.calls + rollouts.stable_calls
    assert both.mean() == pytest.approx(scenario.calls, rel=0.03)
    assert rollouts.calls.shape == (RUNS, scenario.minutes)
    assert rollouts.calls.mean() == pytest.approx(scenario.calls * np.mean(scenario.weights), rel=0.03)
    canary, calls = rollouts.failures[:, scenario.begin :], rollouts.calls[:, scenario.begin :]
    assert canary.sum() / calls.sum() == pytest.approx(scenario.canary, rel=0.06)
    assert rollouts.stable_failures.sum() / rollouts.stable_calls.sum() == pytest.approx(scenario.stable, rel=0.06)


def test_late_fault_begins_in_minute_16() -> None:
    rollouts = draw(BY_NAME["F2"])

    rate = rates(rollouts.failures, rollouts.calls)
    assert rate[:15] == pytest.approx(0.01, rel=0.2)
    assert rate[15:] == pytest.approx(0.05, rel=0.1)


def test_weights_change_in_equal_parts_of_the_rollout() -> None:
    rollouts = draw(BY_NAME["H9"])

    weight = rollouts.calls.sum(axis=0) / (rollouts.calls + rollouts.stable_calls).sum(axis=0)
    assert weight == pytest.approx(np.repeat([0.1, 0.2, 0.4, 0.6, 0.8], 6), abs=0.01)


def test_bursts_scatter_the_rate_of_a_minute_as_their_correlation_says() -> None:
    scenario = BY_NAME["H3"]
    rollouts = draw(scenario)

    rate = rollouts.stable_failures / rollouts.stable_calls
    assert rate.var() / (0.005 * 0.995) == pytest.approx(scenario.correlation + 1 / 10_800, rel=0.1)


def test_shared_incident_lasts_three_minutes_on_both_sides() -> None:
    rollouts = draw(BY_NAME["H4"])

    during = rollouts.stable_failures / rollouts.stable_calls > 0.06
    assert (during.sum(axis=1) == 3).mean() > 0.99
    canary = rollouts.failures[during].sum() / rollouts.calls[during].sum()
    stable = rollouts.stable_failures[during].sum() / rollouts.stable_calls[during].sum()
    assert canary / stable == pytest.approx(1.15, rel=0.03)
    assert stable == pytest.approx(0.2, rel=0.05)


def test_cold_start_fails_in_the_first_minute_only() -> None:
    rollouts = draw(BY_NAME["H5"])

    rate = rates(rollouts.failures, rollouts.calls)
    assert rate[0] == pytest.approx(0.2, rel=0.05)
    assert rate[1:].max() < 0.01
    assert rates(rollouts.stable_failures, rollouts.stable_calls).max() < 0.01


def test_blip_adds_failures_of_fifty_seconds() -> None:
    rollouts = draw(BY_NAME["H6"])

    added = rollouts.failures.sum(axis=1).mean() - 0.005 * rollouts.calls.sum(axis=1).mean()
    assert added == pytest.approx(120 * 50 / 60 * (0.3 - 0.005), rel=0.05)


@pytest.mark.parametrize("scenario", [one for one in LATENCIES if one.calls <= 120], ids=lambda one: one.name)
def test_latency_has_its_mean(scenario: object) -> None:
    rollouts = draw_latencies(scenario, 300, np.random.default_rng(2))

    shared = np.exp(0.2**2 / 2) * np.exp(scenario.own_noise**2 / 2)
    expected = 100 * shared * (1 - scenario.timeouts) + 5000 * scenario.timeouts
    expected *= 1 + 3 / 30 * (scenario.incident - 1)
    weighted = rollouts.stable_milliseconds * rollouts.stable_calls
    assert weighted.sum() / rollouts.stable_calls.sum() == pytest.approx(expected, rel=0.04)
    canary = (rollouts.milliseconds * rollouts.calls).sum() / rollouts.calls.sum()
    cold = 1 + sum(factor - 1 for factor in scenario.cold) / scenario.minutes
    assert canary / expected == pytest.approx(scenario.canary * cold, rel=0.06)
