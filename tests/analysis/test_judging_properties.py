"""Judgement of any minutes of both sides: minutes that do not count, and the order of instances and minutes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.judging import judge_sides
from skywalking_provider.block import JudgedSpec
from skywalking_provider.queries.indicators.base import BucketValue, JudgedIndicator
from skywalking_provider.queries.indicators.registry import (
    Apdex,
    AverageLatency,
    SuccessRate,
)
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE, OBJECTIVE

LONGEST = 60

side_minutes = st.integers(1, 2000).flatmap(
    lambda calls: st.integers(0, calls // 10).map(lambda failures: SideMinute(calls, failures, failures))
)
both_sides = st.lists(st.tuples(side_minutes, side_minutes), min_size=1, max_size=12)
gaps = st.lists(st.integers(0, LONGEST), min_size=12, max_size=12, unique=True).map(sorted)


def spec_of(block: dict[str, object]) -> JudgedSpec:
    return JudgedSpec.model_validate_json(json.dumps(block))


def judge(block: dict[str, object], canary: dict[int, SideMinute], stable: dict[int, SideMinute]) -> object:
    sides = Sides(spec_of(block), "success-rate", Side(canary), Side(stable) if "compare" in block else None)
    judgement = judge_sides(sides)
    return repr(judgement.result())


@given(both_sides, gaps)
def test_minutes_without_calls_change_nothing(
    minutes: list[tuple[SideMinute, SideMinute]], positions: list[int]
) -> None:
    canary, stable = (dict(enumerate(side)) for side in zip(*minutes, strict=True))
    moved_canary, moved_stable = (dict(zip(positions, side, strict=False)) for side in zip(*minutes, strict=True))

    for block in (COMPARE, OBJECTIVE):
        assert judge(block, canary, stable) == judge(block, moved_canary, moved_stable)


@given(both_sides, gaps, side_minutes)
def test_minutes_of_one_side_change_nothing(
    minutes: list[tuple[SideMinute, SideMinute]], positions: list[int], other: SideMinute
) -> None:
    canary, stable = (dict(zip(positions, side, strict=False)) for side in zip(*minutes, strict=True))
    free = [position for position in range(LONGEST) if position not in canary]
    canary_too, stable_too = dict.fromkeys(free[::2], other), dict.fromkeys(free[1::2], other)

    assert judge(COMPARE, canary, stable) == judge(COMPARE, canary | canary_too, stable | stable_too)


@given(both_sides, st.data())
def test_order_in_which_minutes_are_read_changes_nothing(
    minutes: list[tuple[SideMinute, SideMinute]], data: st.DataObject
) -> None:
    canary, stable = (dict(enumerate(side)) for side in zip(*minutes, strict=True))

    shuffled = dict(data.draw(st.permutations(list(canary.items()))))

    assert judge(COMPARE, canary, stable) == judge(COMPARE, shuffled, stable)


instances = st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 10_000)), min_size=1, max_size=8)


@pytest.mark.parametrize("indicator", [SuccessRate(), Apdex(), AverageLatency()], ids=lambda one: one.name)
@given(instances, st.data())
def test_order_of_instances_changes_nothing(
    indicator: JudgedIndicator, values: list[tuple[int, int]], data: st.DataObject
) -> None:
    rows = [BucketValue(0, calls, float(value)) for calls, value in values]

    shuffled = data.draw(st.permutations(rows))

    assert repr(indicator.summarize_minute(rows)) == repr(indicator.summarize_minute(shuffled))


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_apdex_has_the_bounds_of_a_score_that_oap_rounds_down(calls: int, score: int) -> None:
    minute = Apdex().summarize_minute([BucketValue(0, calls, float(score))])

    assert minute.high == pytest.approx(calls * (1 - score / 10_000), rel=1e-12)
    assert minute.low == pytest.approx(max(0, calls * (1 - (score + 1) / 10_000)), rel=1e-12, abs=1e-12)
