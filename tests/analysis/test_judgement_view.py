"""View of a judgement: the values, the limit and the evidence of each minute, and how many minutes are kept."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.judgement_view import (
    MAX_VIEW_MINUTES,
    JudgementView,
    MinuteView,
    build_judgement_view,
    explain_finding,
)
from skywalking_provider.analysis.judging import EvidenceStep, Judgement, PooledSide
from skywalking_provider.block import JudgedSpec
from skywalking_provider.judgement import Confidence, Evidence, Finding
from skywalking_provider.model import Window
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from tests.analysis.judged import COMPARE, OBJECTIVE

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def judgement(
    block: dict[str, Any],
    canary: dict[int, SideMinute],
    stable: dict[int, SideMinute] | None,
    steps: dict[int, Evidence],
) -> Judgement:
    spec = JudgedSpec.model_validate_json(json.dumps(block))
    sides = Sides(spec, "the label", Side(canary), None if stable is None else Side(stable))
    pooled = PooledSide(100, 1, 0.99)
    return Judgement(
        sides,
        Finding.FINE,
        Confidence(0.0001, 0.1),
        tuple(EvidenceStep(minute, one) for minute, one in steps.items()),
        pooled,
        None if stable is None else pooled,
        0,
        incident=False,
        minutes_to_fine=None,
    )


def view(
    block: dict[str, Any],
    canary: dict[int, SideMinute],
    stable: dict[int, SideMinute] | None,
    steps: dict[int, Evidence],
    *,
    buckets: int = 3,
) -> JudgementView:
    return build_judgement_view(judgement(block, canary, stable, steps), Window(NOON, NOON + buckets * MINUTE))


def test_view_has_the_minutes_of_both_sides_with_the_limit_and_the_evidence() -> None:
    canary = {0: SideMinute(100, 1, 2), 2: SideMinute(200, 1, 1)}
    stable = {0: SideMinute(400, 3, 4), 1: SideMinute(500, 1, 1)}

    assert view(COMPARE, canary, stable, {0: Evidence(2.5, 1.5)}).minutes == (
        MinuteView(NOON, 0.98, 0.99, pytest.approx(1 - (0.001 + 1.25 * 0.01)), 100, 400, 2.5, 1.5),
        MinuteView(NOON + MINUTE, None, 0.998, pytest.approx(1 - (0.001 + 1.25 * 0.002)), 0, 500, None, None),
        MinuteView(NOON + 2 * MINUTE, 0.995, None, None, 200, 0, None, None),
    )


def test_view_of_an_objective_has_its_limit_in_each_minute() -> None:
    assert view(OBJECTIVE, {1: SideMinute(100, 1, 2)}, None, {1: Evidence(2.5, 1.5)}, buckets=2).minutes == (
        MinuteView(NOON, None, None, 0.99, 0, 0, None, None),
        MinuteView(NOON + MINUTE, 0.98, None, 0.99, 100, 0, 2.5, 1.5),
    )


def test_view_of_a_latency_is_in_milliseconds() -> None:
    canary, stable = {0: SideMinute(100, 190, 200)}, {0: SideMinute(400, 90, 100)}

    shown = view(COMPARE | {"sli": "latency"}, canary, stable, {0: Evidence(1, 1)}, buckets=1)

    assert shown.minutes == (MinuteView(NOON, 200, 100, 135, 100, 400, 1, 1),)
    assert shown.latency


def test_limit_beside_a_failing_stable_is_at_least_0() -> None:
    shown = view(COMPARE, {}, {0: SideMinute(100, 90, 90), 1: SideMinute(100, 50, 50)}, {0: Evidence(1, 1)}, buckets=2)

    assert [one.tolerated for one in shown.minutes] == [0.0, pytest.approx(1 - (0.001 + 1.25 * 0.5))]


def test_evidence_is_shown_up_to_a_limit() -> None:
    side = {0: SideMinute(1, 0, 0)}

    (minute,) = view(COMPARE, side, side, {0: Evidence(1e9 + 1, 1e9 + 2)}, buckets=1).minutes

    assert (minute.worse, minute.fine) == (1e9, 1e9)


def test_view_has_the_finding_with_what_is_needed() -> None:
    side = {0: SideMinute(1, 0, 0)}

    shown = view(COMPARE, side, side, {0: Evidence(1, 11)})

    assert (shown.label, shown.latency, shown.compares, shown.finding) == ("the label", False, True, Finding.FINE)
    assert (shown.needed_worse, shown.needed_fine) == (10_000, 10)
    assert shown.explanation == explain_finding(judgement(COMPARE, side, side, {0: Evidence(1, 11)}))
    assert not view(OBJECTIVE, side, None, {0: Evidence(1, 11)}).compares


@pytest.mark.parametrize(("buckets", "more"), [(MAX_VIEW_MINUTES, 0), (MAX_VIEW_MINUTES + 2, 2), (1, 0)])
def test_view_keeps_the_last_minutes(buckets: int, more: int) -> None:
    side = {0: SideMinute(1, 0, 0)}

    shown = view(COMPARE, side, side, {0: Evidence(1, 1)}, buckets=buckets)

    assert shown.more_minutes == more
    assert [one.start for one in shown.minutes] == [NOON + at * MINUTE for at in range(more, buckets)]
