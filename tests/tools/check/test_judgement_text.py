"""Tests of a judgement in text: evidence over the minutes, and both sides by minute."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from skywalking_provider.analysis.judgement_view import JudgementView, MinuteView
from skywalking_provider.judgement import Finding
from skywalking_provider.tools.check.judgement_text import draw_evidence, draw_minutes

START = datetime(2026, 11, 24, 11, 31, tzinfo=UTC)
MINUTE = {"canary": 0.95, "stable": 0.99, "tolerated": 0.9865, "canary_calls": 120, "stable_calls": 1080}


def build_view(*evidence: tuple[float, float] | None, compares: bool = True, **minute: Any) -> JudgementView:
    minutes = tuple(
        MinuteView(
            start=START + at * timedelta(minutes=1),
            worse=None if one is None else one[0],
            fine=None if one is None else one[1],
            **MINUTE | minute,
        )
        for at, one in enumerate(evidence)
    )
    return JudgementView("success-rate", False, compares, Finding.OPEN, "", 1000, 20, minutes, 0)


def test_evidence_rises_to_what_is_needed_on_a_logarithmic_scale() -> None:
    view = build_view((0.5, 30), (1, 1), None, (40, 0.1), (999, 19), (1000, 20))

    assert [line.plain for line in draw_evidence(view, 67)] == [
        "worse  ▁▁·▄▇█  1 000, needed 1 000",
        "fine   █▁·▁▇█  20, needed 20",
    ]


def test_evidence_of_many_minutes_continues_on_the_next_line() -> None:
    lines = [line.plain for line in draw_evidence(build_view(*[(1000, 1)] * 75), 67)]

    assert lines[:3] == [f"worse  {'█' * 60}", f"       {'█' * 15}  1 000, needed 1 000", f"fine   {'▁' * 60}"]


def test_minutes_have_both_sides_the_limit_and_the_evidence_with_bars() -> None:
    lines = [line.plain for line in draw_minutes(build_view((40, 0.1), (1e9, 20)), 107, wide=False)]

    assert [line.split() for line in lines] == [
        ["minute", "canary", "stable", "tolerated", "worse", "fine"],
        ["11:31", "0.95", "of", "120", "0.99", "of", "1080", "0.9865", "40", "██████▍", "0.1"],
        ["11:32", "0.95", "of", "120", "0.99", "of", "1080", "0.9865", ">10^9", "█" * 12, "20", "█" * 12],
    ]


def test_minutes_of_an_objective_have_no_stable_side() -> None:
    lines = [line.plain for line in draw_minutes(build_view((40, 1e-12), compares=False), 107, wide=False)]

    assert [line.split() for line in lines] == [
        ["minute", "canary", "objective", "worse", "fine"],
        ["11:31", "0.95", "of", "120", "0.9865", "40", "██████▍", "<0.001"],
    ]


def test_minute_that_does_not_count_has_no_evidence() -> None:
    view = build_view(None, canary=None, canary_calls=0)

    assert draw_minutes(view, 107, wide=False)[1].plain.split() == (
        ["11:31", "no", "calls", "0.99", "of", "1080", "0.9865", "–", "–"]
    )


def test_minutes_are_the_last_ones_unless_all_are_wanted() -> None:
    view = build_view(*[(1, 1)] * 28)

    last, all_minutes = (draw_minutes(view, 107, wide=wide) for wide in (False, True))
    assert last[1].plain.startswith("11:49")
    assert last[-1].plain == "… 18 earlier minutes; -o wide shows all"
    assert len(all_minutes) == 1 + 28


@pytest.mark.parametrize("width", [67, 87, 107])
@pytest.mark.parametrize("calls", [3, 120, 9_000_000])
@pytest.mark.parametrize("value", [0.5, 0.9876])
def test_minutes_fit_the_terminal(width: int, calls: int, value: float) -> None:
    view = build_view((999, 1e-12), (1e9, 80), None, canary=value, stable=value, canary_calls=calls, stable_calls=calls)

    assert max(cell_len(line.plain) for line in draw_minutes(view, width, wide=True)) <= width
