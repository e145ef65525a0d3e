"""Tests of outcomes, and of the rate of aborted runs."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.outcome import (
    EndReason,
    Look,
    MetricOutcome,
    Rate,
    RunOutcome,
    summarize_metric,
    summarize_runs,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def outcome(
    phase: Phase, minutes: int = 30, name: str = "a", reason: Reason | EndReason | None = None, *, decided: bool = True
) -> MetricOutcome:
    at = NOON + timedelta(minutes=minutes)
    looks = (Look(at, phase, decided=decided),) if decided else ()
    return MetricOutcome(name, phase, at, reason, looks=looks)


def run(*metrics: MetricOutcome, dry_run: frozenset[str] = frozenset()) -> RunOutcome:
    return RunOutcome(NOON, NOON + timedelta(minutes=30), metrics, dry_run)


@given(st.integers(1, 400), st.data())
def test_interval_of_a_rate_is_wilsons(runs: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, runs))
    expected = binomtest(events, runs).proportion_ci(0.95, method="wilson")

    assert Rate(events, runs).interval == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_rate_without_runs_is_not_known() -> None:
    assert (Rate(0, 0).share, Rate(0, 0).interval) == (None, None)


def test_run_is_decided_by_the_first_metric_that_is_not_successful() -> None:
    decided = run(outcome(Phase.SUCCESSFUL, 3), outcome(Phase.INCONCLUSIVE, 9, "b"), outcome(Phase.FAILED, 12, "c"))

    assert decided.deciding is not None
    assert (decided.phase, decided.deciding.metric, decided.aborts) == (Phase.INCONCLUSIVE, "b", False)


def test_run_is_not_decided_by_a_dry_run() -> None:
    assert run(outcome(Phase.FAILED), outcome(Phase.SUCCESSFUL, name="b"), dry_run=frozenset("a")).phase is (
        Phase.SUCCESSFUL
    )


def test_of_metrics_that_end_together_the_failed_one_decides() -> None:
    decided = run(outcome(Phase.INCONCLUSIVE, 9), outcome(Phase.FAILED, 9, "b"))

    assert decided.phase is Phase.FAILED


def test_summary_counts_phases_reasons_and_runs_without_data() -> None:
    runs = [
        run(outcome(Phase.SUCCESSFUL)),
        run(outcome(Phase.FAILED, 5, reason=Reason.OBJECTIVE_MISSED)),
        run(outcome(Phase.FAILED, 9, reason=Reason.OBJECTIVE_MISSED)),
        run(outcome(Phase.INCONCLUSIVE, 15, reason=Reason.NO_DATA, decided=False)),
        run(outcome(Phase.ERROR, 15, reason=Reason.ENTITY_NOT_FOUND, decided=False)),
    ]

    for summary in (summarize_metric("a", runs), summarize_runs(runs)):
        assert summary.phases == {Phase.SUCCESSFUL: 1, Phase.FAILED: 2}
        assert summary.reasons == {(Phase.FAILED, "OBJECTIVE_MISSED"): 2}
        assert summary.without_data == 2
        assert (summary.aborts.events, summary.aborts.runs) == (2, 3)
        assert summary.minutes[Phase.FAILED] == 7


def test_run_whose_data_end_after_a_decided_measurement_has_data() -> None:
    late = MetricOutcome(
        "a", Phase.INCONCLUSIVE, NOON, Reason.NO_DATA, looks=(Look(NOON, Phase.SUCCESSFUL, decided=True),)
    )

    assert late.has_data
    assert not outcome(Phase.INCONCLUSIVE, reason=Reason.NO_DATA, decided=False).has_data
