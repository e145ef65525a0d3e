"""Tests of A/A runs and of injected faults, beside the simulation of `make simulate`."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from math import sqrt
from random import Random
from typing import Any

import numpy as np
import pytest

from bench.simulation.scenarios import Rollouts
from bench.simulation.vectorised import judge_comparison
from skywalking_provider.judgement import Confidence, Limit
from skywalking_provider.mock_oap.scenario import Scenario
from skywalking_provider.model import Phase
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest import replayed_backends
from skywalking_provider.tools.backtest.history import Chunk, History
from skywalking_provider.tools.backtest.injection import Injection, parse_injection
from skywalking_provider.tools.backtest.live_reads import LiveReads
from skywalking_provider.tools.backtest.model import Backtest, BacktestError, SplitOptions
from skywalking_provider.tools.backtest.outcome import summarize_runs
from skywalking_provider.tools.backtest.pod_split import split_pods
from skywalking_provider.tools.backtest.series_key import SeriesKey
from skywalking_provider.tools.backtest.versions import PodVersion
from tests.tools.backtest.harness import HASHES, OLD, SERVICE, build_comparison, build_template, open_stage

pytestmark = pytest.mark.allow_slow_callbacks("a backtest computes for minutes, and serves no one meanwhile")

PODS, CALLS, RATE, MINUTES = 10, 60, 0.01, 600
SUFFIXES = ("2xkqz", "9zr8t", "h6pnw", "pk4tz", "rt5mj", "w8vzd", "bq2ln", "cx7gs", "fd9hk", "z4jrp")


def build_pods(pods: int = PODS) -> Scenario:
    """Build a service with pods of one version."""
    names = [f"reviews-{OLD}-{SUFFIXES[at]}" for at in range(pods)]
    traffic = [{"from": -2 * MINUTES, "calls": CALLS, "failures": 1}]
    instances = [{"name": name, "attributes": {"pod": name}, "traffic": traffic} for name in names]
    return Scenario.model_validate({"services": [{"name": SERVICE, "instances": instances}]})


class NoisyReads(LiveReads):
    """Reads of pods whose calls fail independently of each other, instead of those of the mock."""

    async def series(self, keys: Sequence[SeriesKey], chunk: Chunk, history: History) -> dict[SeriesKey, Any]:  # noqa: ARG002
        return {key: _draw_series(key, chunk) for key in keys}


def _draw_series(key: SeriesKey, chunk: Chunk) -> dict[str, Any]:
    pod = key.entity.instance or ""
    random = np.random.default_rng([SUFFIXES.index(pod[-5:]), int(chunk.start.timestamp())])
    failures = random.binomial(CALLS, RATE, chunk.minutes)
    numbers = [CALLS] * chunk.minutes if key.expression.endswith("cpm") else (CALLS - failures) * 10_000 // CALLS
    values = [{"id": None, "value": str(number)} for number in numbers]
    return {"type": "TIME_SERIES_VALUES", "error": None, "results": [{"metric": None, "values": values}]}


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayed_backends, "LiveReads", NoisyReads)


async def run_split(count: int, inject: tuple[str, ...] = (), **block: Any) -> Backtest:
    template = build_template(build_comparison(**block), args=HASHES)
    async with AsyncExitStack() as stack:
        return await (await open_stage(stack, build_pods())).backtest(
            template,
            since=timedelta(minutes=MINUTES),
            split=SplitOptions(0.1, count, 7),
            injection=parse_injection(inject, 7),
        )


def simulate(
    runs: int, canary: float, tolerated: Limit, confidence: Confidence, looks: int = 29
) -> np.ndarray[Any, Any]:
    """Return the minute after which each simulated run is found worse; 0 for never. The noise is that of the pods."""
    random = np.random.default_rng(5)
    shape = runs, looks
    calls, stable = np.full(shape, CALLS), np.full(shape, CALLS * (PODS - 1))
    rollouts = Rollouts(calls, random.binomial(calls, canary), stable, random.binomial(stable, RATE))
    findings = judge_comparison(rollouts, tolerated, Limit(0.01, 3.0), confidence)
    return np.where(findings.worse.any(axis=1), findings.worse.argmax(axis=1) + 1, 0)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("noise")
def test_default_limits_abort_no_split_as_in_the_simulation() -> None:
    backtest = asyncio.run(run_split(100))

    assert summarize_runs(backtest.runs).aborts.events == 0
    assert not simulate(3000, RATE, Limit(0.001, 1.25), Confidence()).any()


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("noise")
@pytest.mark.parametrize("errors", [0.02, 0.04])
def test_injected_errors_are_found_as_often_and_as_fast_as_in_the_simulation(errors: float) -> None:
    backtest = asyncio.run(run_split(60, (f"errors=+{errors}",), maxWait="1h"))

    failed = [run for run in backtest.runs if run.phase is Phase.FAILED and run.deciding]
    minutes = sorted((run.deciding.ended_at - run.start) / timedelta(minutes=1) for run in failed if run.deciding)
    found = simulate(3000, RATE + errors * (1 - RATE), Limit(0.001, 1.25), Confidence())
    median = float(np.median(found[found > 0])) + 1  # a minute is closed a minute after its end
    share = float((found > 0).mean())
    assert len(failed) / 60 == pytest.approx(share, abs=4 * sqrt(share * (1 - share) / 60) + 0.02)
    assert abs(minutes[len(minutes) // 2] - median) <= (2 if errors > 0.03 else 5)


async def test_splits_are_seeded_whole_pods_nearest_to_the_weight() -> None:
    template = build_template(build_comparison(), args=HASHES)
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, build_pods())
        options = {"since": timedelta(minutes=69), "length": timedelta(minutes=10)}
        first, again, other = [
            await stage.backtest(template, split=SplitOptions(0.3, 12, seed), **options) for seed in (1, 1, 2)
        ]

    assert first.splits == again.splits != other.splits
    assert {len(one.canary) for one in first.splits} == {3}
    assert all(one.weight == pytest.approx(0.3) for one in first.splits)
    assert all(set(one.canary).isdisjoint(one.stable) for one in first.splits)
    assert len({one.canary for one in first.splits}) > 6


@pytest.mark.parametrize("pods", [1, 3])
async def test_splits_of_fewer_than_four_pods_are_an_error_with_the_count(pods: int) -> None:
    template = build_template(build_comparison(), args=HASHES)
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, build_pods(pods))
        with pytest.raises(BacktestError, match=f"needs 4 pods of one version .* most pods has {pods} in"):
            await stage.backtest(template, since=timedelta(minutes=69), split=SplitOptions())


async def test_metrics_that_cannot_be_split_are_skipped_with_the_reason() -> None:
    metrics = [
        build_comparison(),
        build_comparison("apdex", sli="apdex"),
        build_comparison("p99", sli="latency", percentile=99),
        {"name": "rate", "successCondition": "result > 1", "provider": build_comparison()["provider"]},
    ]
    metrics[-1] = {
        "name": "rate",
        "successCondition": "result > 0",
        "provider": {"plugin": {"skywalking/metrics": {"sli": "success-rate", "window": "5m", "service": SERVICE}}},
    }
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, build_pods(4))
        backtest = await stage.backtest(
            build_template(*metrics, args=HASHES),
            since=timedelta(minutes=69),
            length=timedelta(minutes=10),
            split=SplitOptions(0.25, 2, 1),
        )

    assert [one.name for one in backtest.targets] == ["success-rate"]
    assert {one.metric: one.reason for one in backtest.skipped} == {
        "apdex": "the scores of several pods cannot be merged",
        "p99": "the percentiles of several pods cannot be merged",
        "rate": "its block is not judged",
    }


def test_split_has_at_least_one_pod_on_each_side() -> None:
    calls = {"a": 1, "b": 1, "c": 1, "d": 1000}
    version = PodVersion("reviews", OLD)

    splits = [
        split_pods(version, calls, weight, Random(seed))  # noqa: S311
        for weight in (0.01, 0.5)
        for seed in range(20)
    ]

    assert all(one.canary and one.stable for one in splits)
    assert all(0 < one.weight < 1 for one in splits)


@pytest.mark.parametrize(
    ("texts", "injection"),
    [
        (("errors=+4%",), Injection(errors=0.04, seed=9)),
        (("errors=+0.04", "latency=x2"), Injection(errors=0.04, latency_factor=2, seed=9)),
        (("latency=+50ms",), Injection(latency_added=50, seed=9)),
        ((), None),
    ],
)
def test_faults_are_parsed(texts: tuple[str, ...], injection: Injection | None) -> None:
    assert parse_injection(texts, 9) == injection


@pytest.mark.parametrize("text", ["errors=4%", "errors=+0%", "errors=+101%", "latency=2", "cpu=x2", ""])
def test_other_texts_are_no_faults(text: str) -> None:
    with pytest.raises(ValueError, match="Write"):
        parse_injection((text,), 1)


def test_injection_adds_failures_and_time_within_the_calls() -> None:
    fault = Injection(errors=0.5, latency_factor=2, latency_added=10, seed=1)
    changed = [fault.change(SideMinute(100, 10, 20), str(at), latency=False) for at in range(200)]

    assert np.mean([one.high for one in changed]) == pytest.approx(20 + 40, abs=2)
    assert all(one.high - one.low == 10 and one.high <= 100 for one in changed)
    assert fault.change(SideMinute(100, 10, 20), "0", latency=False) == changed[0]
    assert fault.change(SideMinute(10, 80, 80), "0", latency=True) == SideMinute(10, 170, 170)
    large = fault.change(SideMinute(100_000, 0, 0), "0", latency=False)
    assert large.high == pytest.approx(50_000, rel=0.02)
