"""Judges of the simulation that others use, against known values."""

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact, mannwhitneyu, norm

from bench.simulation.baselines import (
    count_failed_looks,
    fail_exact_bound,
    fail_fisher,
    fail_ratio,
    fail_template,
    fisher_p_value,
)
from bench.simulation.mann_whitney import _statistic, classify_high, fail_mann_whitney
from bench.simulation.scenarios import Rollouts


def rollout(minutes: list[tuple[int, int]], stable: tuple[int, int] = (1080, 5)) -> Rollouts:
    """Return one rollout of the canary's calls and failures."""
    calls, failures = (np.array([column]) for column in zip(*minutes, strict=True))
    return Rollouts(calls, failures, np.full_like(calls, stable[0]), np.full_like(calls, stable[1]))


def test_template_fails_while_one_of_three_minutes_is_below() -> None:
    minutes = [(100, 1), (100, 2), (100, 0), (100, 0), (100, 0), (0, 0)]

    assert fail_template(rollout(minutes)).tolist() == [[False, True, True, True, False, False]]


def test_template_accepts_a_success_rate_of_99_percent_and_none_below() -> None:
    assert fail_template(rollout([(100, 1), (101, 1), (99, 1)])).tolist() == [[False, False, True]]


def test_ratio_fails_by_the_calls_of_ten_minutes() -> None:
    failed = fail_ratio(rollout([(100, 11)] + [(100, 0)] * 11))

    assert failed.tolist() == [[True] * 10 + [False] * 2]


@pytest.mark.parametrize(("failure_limit", "look"), [(0, 2), (1, 3), (2, 5), (3, 0)])
def test_failure_limit_allows_failed_looks(failure_limit: int, look: int) -> None:
    failed = np.array([[False, True, True, False, True]])

    assert count_failed_looks(failed, failure_limit).tolist() == [look]


@pytest.mark.parametrize("failures", range(8))
def test_exact_bound_agrees_with_clopper_and_pearson(failures: int) -> None:
    bound = binomtest(failures, 120, alternative="greater").proportion_ci(0.95, "exact").low

    assert fail_exact_bound(rollout([(120, failures)])).item() == (bound > 0.01)


@pytest.mark.parametrize(
    ("canary", "stable"),
    [((0, 10), (0, 90)), ((3, 120), (5, 1080)), ((6, 6), (0, 45)), ((12, 120), (11, 1080)), ((90, 900), (5, 10))],
)
def test_fisher_agrees_with_scipy(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    table = [[canary[0], canary[1] - canary[0]], [stable[0], stable[1] - stable[0]]]
    expected = fisher_exact(table, alternative="greater").pvalue

    found = fisher_p_value(*(np.array([[one]]) for one in (*canary, *stable)))

    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_fisher_knows_the_lady_who_tastes_tea() -> None:
    found = fisher_p_value(*(np.array([one]) for one in (3, 4, 1, 4)))

    assert found.item() == pytest.approx(17 / 70)


def test_fisher_adds_all_minutes_up() -> None:
    by_look = [fisher_exact([[2 * n, 118 * n], [5 * n, 1075 * n]], "greater").pvalue < 0.05 for n in range(1, 5)]

    assert by_look == [False, True, True, True]
    assert fail_fisher(rollout([(120, 2)] * 4)).tolist() == [by_look]


def test_statistic_of_mann_whitney_agrees_with_scipy() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        canary, stable = random.integers(0, 5, 9) / 4, random.integers(0, 5, 9) / 4
        expected = mannwhitneyu(canary, stable, alternative="two-sided", method="asymptotic").pvalue
        deviation = _statistic(canary[None], stable[None]).item()

        assert min(1.0, 2 * norm.sf(abs(deviation))) == pytest.approx(expected, rel=1e-9)


def test_mann_whitney_needs_four_minutes_and_a_shift() -> None:
    minutes = [(120, failures) for failures in (6, 5, 7, 6, 8, 6)]

    assert fail_mann_whitney(rollout(minutes)).tolist() == [[False, False, False, True, True, True]]
    assert not fail_mann_whitney(rollout([(120, 0)] * 6)).any()


def test_mann_whitney_classifies_only_a_shift_beyond_a_quarter_of_the_estimate() -> None:
    stable = np.array([[0.01, 0.02, 0.03, 0.04, 0.05, 0.06]])

    assert classify_high(stable + 0.06, stable).item()
    # Significant, but not beyond a quarter of the estimate.
    assert _statistic(stable + 0.035, stable).item() > 1.96
    assert not classify_high(stable + 0.035, stable).item()
    assert not classify_high(stable, stable).item()
    assert not classify_high(stable - 0.06, stable).item()


def test_mann_whitney_leaves_out_minutes_without_calls() -> None:
    with_gap = rollout([(120, 6), (0, 0), (120, 5), (120, 7), (120, 6)])

    assert fail_mann_whitney(with_gap).tolist() == [[False, False, False, False, True]]
