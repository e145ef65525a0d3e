"""Faults that are added to metrics with thresholds, from the start of each run."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.injection import parse_injection
from skywalking_provider.tools.backtest.model import Backtest
from tests.tools.backtest.harness import build_metric, build_template, open_stage

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.allow_slow_callbacks("a backtest computes for minutes, and serves no one meanwhile"),
]


def threshold(name: str, condition: str, **content: Any) -> dict[str, Any]:
    return {**build_metric(name, argo={"interval": "5m"}, **content), "successCondition": condition}


async def run_with_faults(*metrics: dict[str, Any], inject: tuple[str, ...] = ()) -> Backtest:
    async with AsyncExitStack() as stack:
        return await (await open_stage(stack)).backtest(
            build_template(*metrics), since=timedelta(minutes=90), injection=parse_injection(inject, 3)
        )


def values_of(backtest: Backtest, metric: str) -> list[list[float]]:
    """Return the values of a metric by run."""
    return [
        [look.value for look in one.looks if look.value is not None]
        for run in backtest.runs
        for one in run.metrics
        if one.metric == metric
    ]


async def test_fault_changes_the_values_of_thresholds_by_its_size() -> None:
    metrics = [
        threshold("rate", "result >= 0.5", sli="success-rate", window="5m"),
        threshold("apdex", "result >= 0.2", sli="apdex", window="5m"),
        threshold("mean", "result < 9000", sli="latency", window="5m"),
        threshold("p99", "result < 9000", sli="latency", percentile=99, window="5m"),
    ]
    recorded = await run_with_faults(*metrics)
    failing = await run_with_faults(*metrics, inject=("errors=+20%", "latency=x3", "latency=+7ms"))

    for before, after in zip(values_of(recorded, "rate"), values_of(failing, "rate"), strict=True):
        assert after[1:] == pytest.approx([0.8 * one for one in before[1:]], abs=0.05)  # of five minutes
        assert after != before
    for before, after in zip(values_of(recorded, "apdex"), values_of(failing, "apdex"), strict=True):
        assert after[1:] == pytest.approx([0.8 * one for one in before[1:]], abs=0.05)  # of five minutes
    for metric in ("mean", "p99"):
        for before, after in zip(values_of(recorded, metric), values_of(failing, metric), strict=True):
            assert after == pytest.approx([3 * one + 7 for one in before])
    assert all(run.phase is Phase.SUCCESSFUL for run in failing.runs)


async def test_fault_begins_with_the_run_although_the_window_reaches_before_it() -> None:
    metric = threshold("mean", "result < 9000", sli="latency", window="10m", since="window")
    (before, *_), (after, *_) = [
        values_of(await run_with_faults(metric, inject=inject), "mean") for inject in ((), ("latency=x2",))
    ]

    # The first look at the run's start has no minute of the run, the next one has four or five of ten.
    assert after[0] == before[0]
    assert 1.3 * before[1] < after[1] < 1.6 * before[1]
    assert after[2:] == pytest.approx([2 * one for one in before[2:]], rel=0.11)


async def test_runs_that_find_the_fault_are_failed_with_the_same_seed() -> None:
    metric = threshold("rate", "result >= 0.97", sli="success-rate", window="5m")
    recorded = await run_with_faults(metric)
    first, again = [await run_with_faults(metric, inject=("errors=+5%",)) for _ in range(2)]

    assert [run.phase for run in recorded.runs] == [Phase.SUCCESSFUL] * len(recorded.runs)
    assert [run.phase for run in first.runs] == [Phase.FAILED] * len(first.runs)
    assert first.runs == again.runs
    deciding = first.runs[0].deciding
    assert deciding
    assert deciding.message.startswith("CONDITION_NOT_MET success-rate 0.9")


async def test_metrics_that_a_fault_does_not_change_are_skipped_with_the_reason() -> None:
    backtest = await run_with_faults(
        threshold("rate", "result >= 0.9", sli="success-rate", window="5m"),
        threshold("mean", "result < 900", sli="latency", window="5m"),
        threshold("calls", "result > 1", sli="throughput", window="5m"),
        threshold("raw", "result[0] > 1", expression="service_cpm", window="5m"),
        inject=("errors=+5%",),
    )

    assert [one.name for one in backtest.targets] == ["rate"]
    assert {one.metric: one.reason for one in backtest.skipped} == {
        "mean": "the fault does not change it",
        "calls": "the fault does not change it",
        "raw": "a fault can be added to an indicator (sli) only",
    }
