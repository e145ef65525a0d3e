"""Tests of the pure decisions: limits outside of the noise, the time until a verdict, and the choice of a weight."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[import-untyped]

from skywalking_provider.block import IndicatorName, JudgedSpec, parse_block
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest.history import History
from skywalking_provider.tools.suggest.limits import (
    exceeded_by_chance,
    place_objective,
    place_threshold,
    round_up_latency,
)
from skywalking_provider.tools.suggest.model import Survey
from skywalking_provider.tools.suggest.traffic import measure_indicator, measure_traffic, quantile
from skywalking_provider.tools.suggest.verdict_time import VerdictTime, estimate_verdict_time
from skywalking_provider.tools.suggest.weights import WeightTimes, choose_wait, choose_weight
from tests.tools.suggest.harness import CANARY, NOON, STABLE

RATE, LATENCY = IndicatorName.SUCCESS_RATE, IndicatorName.LATENCY
SPEC = parse_block(
    b'{"sli": "success-rate", "service": "s", "instances": {"podTemplateHash": "%s"},'
    b' "compare": {"instances": {"podTemplateHash": "%s"}}}' % (CANARY.encode(), STABLE.encode())
)


def build_survey(calls: int, failures: Sequence[float], name: IndicatorName = RATE) -> Survey:
    """Build a past with the same calls in each minute."""
    minutes = {at: SideMinute(calls, one, one) for at, one in enumerate(failures)}
    return Survey("s", ("MESH",), History(NOON - timedelta(minutes=len(failures)), NOON), {name: minutes}, 0, 1)


def draw_failures(calls: int, rate: float, minutes: int, seed: int = 1) -> list[float]:
    """Return failures of minutes whose calls fail independently of each other."""
    return [float(one) for one in np.random.default_rng(seed).binomial(calls, rate, minutes)]


@pytest.mark.parametrize(("calls", "expected"), [(120, (15, 33)), (600, (4, 9))])
def test_time_until_a_verdict_is_that_of_the_simulation(calls: int, expected: tuple[int, int]) -> None:
    """docs/judgement.md has a median of 24 minutes for 12 canary calls of 120, and of 6 for 60 of 600."""
    assert isinstance(SPEC, JudgedSpec)
    survey = build_survey(calls, draw_failures(calls, 0.005, 600))

    time = estimate_verdict_time(SPEC, survey, 10)

    assert time.median is not None
    assert time.most is not None
    assert expected[0] <= time.median <= expected[1]
    assert time.most >= time.median


def test_time_is_unlimited_without_enough_calls() -> None:
    assert isinstance(SPEC, JudgedSpec)

    assert estimate_verdict_time(SPEC, build_survey(2, [0.0] * 300), 10) == VerdictTime(10, None, None)


@given(rate=st.floats(1e-6, 0.4), calls=st.integers(1, 300))
def test_chance_is_the_quantile_of_the_binomial_distribution(rate: float, calls: int) -> None:
    assert exceeded_by_chance(rate, calls) * calls == pytest.approx(binom.ppf(1 - 1e-4, calls, rate), abs=1.001)


@given(rate=st.floats(0, 0.08), canary=st.floats(0.5, 500), seed=st.integers(0, 5))
def test_threshold_is_outside_of_the_noise(rate: float, canary: float, seed: int) -> None:
    threshold = place_threshold(build_survey(100, draw_failures(100, rate, 240, seed)), RATE, canary)

    assert threshold is not None
    assert threshold.limit >= 2 * rate * 0.9
    assert threshold.limit >= threshold.past
    assert threshold.limit * threshold.min_calls >= 2, "one failed call must not abort"
    assert binom.sf(threshold.limit * threshold.min_calls, threshold.min_calls, rate) < 1e-3


def test_threshold_of_a_failing_service_is_none() -> None:
    assert place_threshold(build_survey(100, [30.0] * 240), RATE, 10) is None
    assert place_objective(build_survey(100, [30.0] * 240), RATE) is None


def test_limits_ignore_a_short_incident_of_the_service() -> None:
    failures = [1.0] * 1440
    failures[600:630] = [90.0] * 30  # in one of 24 hours

    objective = place_objective(build_survey(100, failures), RATE)

    assert objective is not None
    assert objective.facts.worst is not None
    assert objective.facts.worst.value > 0.4
    assert objective.limit < 0.1


def test_latency_limits_are_above_the_usual_latency() -> None:
    survey = build_survey(100, [62.0] * 240, LATENCY)
    objective, threshold = place_objective(survey, LATENCY), place_threshold(survey, LATENCY, 10)

    assert objective is not None
    assert threshold is not None
    assert (objective.limit, threshold.limit) == (100, 100)


@given(st.floats(0.01, 1e6))
def test_rounded_latency_is_no_smaller_and_a_tenth_larger_at_most(milliseconds: float) -> None:
    rounded = round_up_latency(milliseconds)

    assert milliseconds <= rounded <= max(10, 1.1 * milliseconds + 10)


def test_quiet_hours_are_measured_apart_from_the_mean() -> None:
    survey = build_survey(10, [0.0] * 600)
    minutes = dict(survey.minutes[RATE]) | {at: SideMinute(1, 0, 0) for at in range(120)}

    traffic = measure_traffic(Survey("s", (), survey.history, {RATE: minutes}, 0, 1))

    assert (traffic.rate, traffic.quiet_rate, traffic.busy_share) == (8.2, 1, 1)


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.1, 1), (0.5, 5), (0.95, 10), (1, 10)])
def test_quantile_is_a_number_of_the_sample(share: float, expected: int) -> None:
    assert quantile(range(1, 11), share) == expected


def build_times(*minutes: int | None) -> list[WeightTimes]:
    return [WeightTimes(at, {RATE: VerdictTime(at, one, one)}) for at, one in enumerate(minutes)]


@pytest.mark.parametrize(
    ("minutes", "chosen"),
    [((40, 15, 3), 1), ((40, 31, 30), 2), ((None, None), 1), ((None, 31, 31), 2), ((3,), 0)],
)
def test_first_weight_with_a_verdict_in_time_is_chosen(minutes: tuple[int | None, ...], chosen: int) -> None:
    assert choose_weight(build_times(*minutes)) == chosen


@pytest.mark.parametrize(("most", "wait"), [(1, 15), (14, 15), (15, 20), (32, 35), (200, 60), (None, 60)])
def test_wait_covers_the_verdicts(most: int | None, wait: int) -> None:
    assert choose_wait(most) == wait


def test_facts_of_a_past_without_failures_have_no_failures() -> None:
    facts = measure_indicator(build_survey(5, [0.0] * 240), RATE)

    assert (facts.failures, facts.mean, facts.usual) == (0, 0, 0)
