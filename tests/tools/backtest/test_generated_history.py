"""The generated history of `make bench-backtest`, and the simulation; tests/e2e has the whole on a real OAP."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from bench.backtest_history.agreement import SETTINGS, Agreement, simulate_shares
from bench.backtest_history.history import (
    BAD,
    BAD_DEPLOY,
    CALLS,
    GOOD,
    GOOD_DEPLOY,
    INCIDENT,
    MINUTES,
    OLD,
    draw_history,
    format_history,
)
from bench.backtest_history.oap import select_time_zone


@pytest.mark.parametrize("hour", range(24))
def test_history_is_within_one_day_of_the_oap_at_any_time(hour: int) -> None:
    now = 3600 * hour + 1799
    end = datetime.fromtimestamp(now, ZoneInfo(select_time_zone(now)))

    assert (end - timedelta(minutes=MINUTES + 2)).date() == (end + timedelta(hours=1)).date()


def test_history_has_both_deploys_and_the_incident() -> None:
    pods = draw_history(np.random.default_rng(1))
    totals = {
        version: np.sum([(one.calls, one.failures) for name, one in pods.items() if version in name], axis=0)
        for version in (OLD, BAD, GOOD)
    }
    with_calls = {version: np.flatnonzero(calls) for version, (calls, _) in totals.items()}
    rates = {version: failures.sum() / calls.sum() for version, (calls, failures) in totals.items()}
    calls, failures = np.sum(list(totals.values()), axis=0)

    assert (with_calls[BAD].min(), with_calls[BAD].max()) == (BAD_DEPLOY.start, BAD_DEPLOY.stop - 1)
    assert (with_calls[GOOD].min(), with_calls[GOOD].max()) == (GOOD_DEPLOY.start, MINUTES - 1)
    assert with_calls[OLD].max() == GOOD_DEPLOY.stop - 1
    assert calls.mean() == pytest.approx(CALLS, rel=0.15)
    assert rates[BAD] == pytest.approx(0.05, abs=0.01)
    assert failures[list(INCIDENT)] / calls[list(INCIDENT)] == pytest.approx([0.2] * 3, abs=0.05)


def test_lines_of_a_history_are_in_order_and_have_all_calls() -> None:
    pods = draw_history(np.random.default_rng(1))
    lines = [line.split(" ") for line in format_history(pods, 1000)]
    minutes = [int(line[0]) for line in lines]

    assert minutes == sorted(minutes)
    assert (minutes[0], minutes[-1]) == (1000, 1000 + MINUTES - 1)
    assert sum(int(line[3]) for line in lines) == sum(one.calls.sum() for one in pods.values())


def test_simulated_splits_abort_with_a_fault_only() -> None:
    default, _, faulty = simulate_shares(SETTINGS, runs=60, histories=4)

    assert max(default) < 0.05
    assert 0.15 < np.mean(faulty) < 0.6


@pytest.mark.parametrize(("measured", "holds"), [(0.37, True), (0.45, True), (0.7, False), (0.0, False)])
def test_rates_agree_within_three_deviations(measured: float, holds: bool) -> None:
    assert Agreement(SETTINGS[2], measured, 300, 0.36, 0.04).holds is holds


def test_one_run_with_another_outcome_is_no_agreement() -> None:
    assert not Agreement(SETTINGS[2], 0.36, 300, 0.36, 0.04, differing=1).holds
