"""Tests of the duration of a judgement at the traffic that was read."""

import json
from typing import Any

import pytest

from skywalking_provider.analysis.clean_traffic import count_minutes_to_fine, find_wider_harmful
from skywalking_provider.block import parse_block
from skywalking_provider.block.judged import JudgedSpec
from skywalking_provider.queries.sides import Side, SideMinute, Sides

COMPARE = {"compare": {"service": "stable"}}
OBJECTIVE = {"objective": 0.99}


def build_spec(**block: Any) -> JudgedSpec:
    spec = parse_block(json.dumps({"sli": "success-rate", "service": "reviews"} | block).encode())
    assert isinstance(spec, JudgedSpec)
    return spec


def build_sides(spec: JudgedSpec, *calls: int, value: float = 0.0, stable_value: float = 0.0) -> Sides:
    canary = {at: SideMinute(count, value, value) for at, count in enumerate(calls) if count}
    stable = {at: SideMinute(9 * count, stable_value, stable_value) for at, count in enumerate(calls) if count}
    return Sides(spec, "success-rate", Side(canary), Side(stable) if spec.compare else None)


@pytest.mark.parametrize(
    ("block", "calls", "expected"),
    [
        (COMPARE, 120, 5),
        (COMPARE, 60, 8),
        (COMPARE, 12, 37),
        (COMPARE, 6, 73),
        ({"compare": {"service": "stable", "harmful": {"difference": 0.05}}}, 12, 7),
        (OBJECTIVE, 12, 12),
        (OBJECTIVE | {"harmful": 0.95}, 12, 7),
    ],
)
def test_minutes_to_fine_follow_calls_and_harmful(block: dict[str, Any], calls: int, expected: int) -> None:
    assert count_minutes_to_fine(build_sides(build_spec(**block), *[calls] * 28), 28) == expected


def test_minutes_to_fine_ignore_failed_calls_that_were_read() -> None:
    sides = build_sides(build_spec(**COMPARE), *[12] * 28, value=6, stable_value=9)

    assert count_minutes_to_fine(sides, 28) == 37


def test_minutes_to_fine_include_minutes_without_calls() -> None:
    assert count_minutes_to_fine(build_sides(build_spec(**COMPARE), 12, 0), 2) == 2 * 37 - 1


def test_minutes_to_fine_beyond_the_longest_run_are_unknown() -> None:
    assert count_minutes_to_fine(build_sides(build_spec(**COMPARE), 1, 0, 0, 0), 4) is None


@pytest.mark.parametrize(("block", "value"), [({"compare": {"service": "s"}}, 300.0), ({"objective": 80}, 300.0)])
def test_minutes_to_fine_of_a_slow_canary_are_those_of_one_in_order(block: dict[str, Any], value: float) -> None:
    spec = build_spec(sli="latency", **block)
    slow = build_sides(spec, *[60] * 28, value=value, stable_value=80.0)
    good = build_sides(spec, *[60] * 28, value=80.0, stable_value=80.0)

    assert count_minutes_to_fine(slow, 28) == count_minutes_to_fine(good, 28)


def test_wider_harmful_is_the_strictest_that_leaves_time_for_a_failed_call() -> None:
    thin = find_wider_harmful(build_sides(build_spec(**COMPARE), *[12] * 28), 28, 15)
    longer = find_wider_harmful(build_sides(build_spec(**COMPARE), *[12] * 28), 28, 30)
    objective = find_wider_harmful(build_sides(build_spec(**OBJECTIVE), *[6] * 28), 28, 25)

    assert thin
    assert thin.harmful_limit
    assert longer
    assert longer.harmful_limit
    assert (thin.harmful_limit.ratio, thin.harmful_limit.difference) == (3, 0.05)
    assert (longer.harmful_limit.ratio, longer.harmful_limit.difference) == (3, 0.02)
    assert objective
    assert objective.harmful == 0.95


def test_wider_harmful_is_none_without_a_wait_or_minutes_that_count_in_it() -> None:
    assert find_wider_harmful(build_sides(build_spec(**COMPARE), *[12] * 28), 28, 0) is None
    assert find_wider_harmful(build_sides(build_spec(**COMPARE), *[0] * 27, 12), 28, 15) is None


def test_wider_harmful_is_none_for_latency_and_for_too_few_calls() -> None:
    latency = build_sides(build_spec(sli="latency", **COMPARE), *[1] * 28, value=80.0, stable_value=80.0)

    assert find_wider_harmful(latency, 28, 15) is None
    assert find_wider_harmful(build_sides(build_spec(**COMPARE), 1, 0, 0, 0), 4, 15) is None
