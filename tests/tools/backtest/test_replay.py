"""Tests of replayed runs against the mock OAP: they are what the service would have measured then."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.errors import Reason
from skywalking_provider.model import Phase, Run
from tests.tools.backtest.harness import (
    BAD,
    GOOD,
    HASHES,
    NOON,
    OLD,
    build_comparison,
    build_metric,
    build_template,
    open_stage,
)

pytestmark = pytest.mark.allow_slow_callbacks("a backtest computes for minutes, and serves no one meanwhile")

APDEX_QUERY = """
query queryData($duration: Duration!) {
  a: readMetricsValues(condition: {name: "service_apdex", entity: {scope: Service, serviceName: "reviews.bookinfo",
    normal: true}}, duration: $duration) { label values { v: values { value } } }
}"""
THRESHOLDS = [
    build_metric(
        "rate",
        argo={"successCondition": "result >= 0.95", "interval": "1m", "count": 4},
        sli="success-rate",
        window="5m",
    ),
    build_metric("p99", argo={"successCondition": "result < 160"}, sli="latency", percentile=99, window="4m"),
    build_metric("apdex", argo={"successCondition": "min(result) > 9000"}, expression="service_apdex", window="3m"),
    build_metric("mean", argo={"successCondition": "result > 90"}, expression="avg(service_cpm)", window="3m"),
    build_metric("cel", sli="apdex", conditions={"language": "cel", "success": "result >= 0.9"}, argo={}, window="6m"),
]
QUERY = {
    "name": "query",
    "successCondition": "all(result.a.values.v, {.value > 8000})",
    "provider": {"plugin": {"skywalking/metrics": {"interval": "3m", "query": APDEX_QUERY}}},
}
JUDGED = [
    build_metric("objective", sli="success-rate", objective=0.97),
    build_metric("latency", sli="latency", objective=100),
]


@pytest.mark.parametrize("version", ["10.1.0", "9.2.0"])
async def test_replayed_measurements_are_those_of_the_service_at_that_time(version: str) -> None:
    """Each measurement of a run is repeated by the service's engine, with the mock's clock at its time."""
    modern = version != "9.2.0"
    metrics = [*(THRESHOLDS if modern else [THRESHOLDS[0], THRESHOLDS[1], THRESHOLDS[4]]), QUERY, *JUDGED]
    template = build_template(*metrics)
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, version=version, timezone="+0530")
        backtest = await stage.backtest(
            template, since=timedelta(hours=3, minutes=30), length=timedelta(minutes=9), every=timedelta(minutes=36)
        )
        checked = 0
        for run in backtest.runs:
            for target, outcome in zip(backtest.targets, run.metrics, strict=True):
                look = outcome.looks[-1] if outcome.looks else None
                if look is None:
                    continue
                argo_run = Run(namespace="default", created_at=run.start, started_at=run.start)
                live = await stage.measure(target.check.metric, argo_run, None, look.at)
                if live.phase.completed:  # not a measurement that waited
                    assert (live.phase, live.message) == (look.phase, look.message)
                    checked += 1

    assert checked >= (30 if modern else 20)


async def test_comparison_finds_the_bad_deploy_and_only_it() -> None:
    template = build_template(build_comparison(), build_comparison("latency", sli="latency"), args=HASHES)
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(template)

    found = [(run.arguments["canary-hash"], run.arguments["stable-hash"], run.phase) for run in backtest.runs]
    bad, _ = backtest.runs
    assert found == [(BAD, OLD, Phase.FAILED), (GOOD, OLD, Phase.SUCCESSFUL)]
    assert bad.deciding is not None
    assert (bad.deciding.metric, bad.deciding.reason) == ("success-rate", Reason.WORSE_THAN_STABLE)
    assert bad.start == NOON.replace(second=0) - timedelta(minutes=300)
    assert timedelta(minutes=4) <= bad.deciding.ended_at - bad.start <= timedelta(minutes=9)
    assert BAD in bad.deciding.message


async def test_runs_in_a_gap_have_no_data_and_are_not_counted() -> None:
    metric = build_metric(
        argo={"successCondition": "result >= 0.9", "interval": "1m", "count": 2}, sli="success-rate", window="3m"
    )
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(metric), since=timedelta(hours=4), length=timedelta(minutes=10)
        )

    empty = [run.start for run in backtest.runs if not run.has_data]
    gap = NOON.replace(second=0) - timedelta(minutes=200), NOON.replace(second=0) - timedelta(minutes=180)
    assert empty
    assert all(gap[0] - timedelta(minutes=2) <= start < gap[1] for start in empty)
    incident = NOON.replace(second=0) - timedelta(minutes=120), NOON.replace(second=0) - timedelta(minutes=108)
    aborted = [run.deciding.ended_at for run in backtest.runs if run.aborts and run.deciding]
    assert aborted
    assert all(incident[0] <= at <= incident[1] + timedelta(minutes=3) for at in aborted)


async def test_instances_by_a_hash_argument_measure_the_newest_version() -> None:
    metric = build_metric(
        argo={"successCondition": "result >= 0.93", "interval": "1m", "count": 3},
        sli="success-rate",
        window="5m",
        instances={"podTemplateHash": "{{args.canary-hash}}"},
    )
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(metric, args=("canary-hash",)), length=timedelta(minutes=20)
        )

    hashes = [run.arguments["canary-hash"] for run in backtest.runs]
    failed = {run.arguments["canary-hash"] for run in backtest.runs if run.phase is Phase.FAILED}
    assert list(dict.fromkeys(hashes)) == [OLD, BAD, GOOD]
    assert failed == {BAD}


async def test_argument_with_a_value_is_used_in_all_runs() -> None:
    metric = build_metric(sli="success-rate", objective=0.9, instances={"podTemplateHash": "{{args.canary-hash}}"})
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(metric, args=("canary-hash",)),
            since=timedelta(hours=2),
            arg_values={"canary-hash": GOOD},
        )

    assert [run.arguments for run in backtest.runs] == [{}] * 4
    assert [run.has_data for run in backtest.runs] == [False, True, True, True]  # before the deploy: none


async def test_dry_run_does_not_decide_a_run() -> None:
    metrics = [
        build_metric("strict", sli="success-rate", objective=0.9999),
        build_metric("lax", sli="success-rate", objective=0.6),
    ]
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(*metrics, dryRun=[{"metricName": "strict"}]), since=timedelta(hours=1)
        )

    assert [one.phase for run in backtest.runs for one in run.metrics if one.metric == "strict"] == [Phase.FAILED] * 2
    assert [run.phase for run in backtest.runs] == [Phase.SUCCESSFUL] * 2


@pytest.mark.parametrize("since", [timedelta(hours=2), timedelta(hours=9)])
async def test_history_that_is_longer_than_the_data_is_described(since: timedelta) -> None:
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(build_metric(sli="success-rate", objective=0.9)), since=since, length=timedelta(hours=1)
        )

    expected = ["the OAP has no data before 2026-11-24 04:00"] if since > timedelta(hours=8) else []
    assert [note[: len("the OAP has no data before 2026-11-24 04:00")] for note in backtest.notes] == expected


async def test_waiting_measurement_at_the_end_of_a_run_is_inconclusive() -> None:
    block: dict[str, Any] = {"sli": "success-rate", "objective": 0.999, "harmful": 0.9989}
    async with AsyncExitStack() as stack:
        backtest = await (await open_stage(stack)).backtest(
            build_template(build_metric(argo={}, confidence={"fine": 0.99}, **block)),
            since=timedelta(minutes=12),
            length=timedelta(minutes=3),
        )

    assert {(one.phase, str(one.reason)) for run in backtest.runs for one in run.metrics} == {
        (Phase.INCONCLUSIVE, "UNDECIDED")
    }
