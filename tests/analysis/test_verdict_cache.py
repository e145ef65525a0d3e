"""Tests of the verdict cache: identical measurements reuse a final verdict for a short time."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.verdict_cache import VerdictCache
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.queries.series import Series
from tests.analysis.harness import CANARY, RUN, Harness, HarnessFactory, build_metric

CACHING = {"cache": {"responseTtl": "7s", "verdictTtl": "3s"}, "clockTtl": "60s"}
TOO_FEW_CALLS = {"sli": "success-rate", "window": "3m", "service": CANARY, "since": "window", "minCalls": 10**9}


async def measure(harness: Harness, metric: Metric, run: Run = RUN) -> Measurement:
    return await harness.engine.run(metric, run, Deadline.after(10))


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Arguments of each evaluation."""
    recorded: list[tuple[Any, ...]] = []
    evaluate = ConditionEvaluator.evaluate

    async def counting(self: ConditionEvaluator, *arguments: Any) -> Any:
        recorded.append(arguments[:2])
        return await evaluate(self, *arguments)

    monkeypatch.setattr(ConditionEvaluator, "evaluate", counting)
    return recorded


async def test_verdict_cache_same_metric_of_another_run_is_evaluated_once(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness(backend=CACHING) as b:
        first = await measure(b, build_metric("result.service_apdex != nil"))
        second = await measure(b, build_metric("result.service_apdex != nil"), replace(RUN, name="reviews-2", uid="2"))
        assert len(evaluations) == 1
        assert second == first
        assert second.phase is Phase.SUCCESSFUL


async def test_verdict_cache_other_condition_namespace_window_or_name_is_evaluated_separately(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness(backend=CACHING) as b:
        metric = build_metric("result.service_apdex != nil")
        for other in (
            metric,
            replace(metric, failure_condition="false"),
            replace(metric, name="b"),
            build_metric("true"),
        ):
            await measure(b, other)
        await measure(b, metric, replace(RUN, namespace="other"))
        b.clock.set(b.clock() + timedelta(minutes=1))
        await measure(b, metric)
        assert len(evaluations) == 6


async def test_verdict_cache_failed_verdict_is_returned_with_its_message_and_value(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness("failing-canary", backend=CACHING) as b:
        first, second = [await measure(b, build_metric("result == nil")) for _ in range(2)]
        assert len(evaluations) == 1
        assert (first.phase, second.phase) == (Phase.FAILED, Phase.FAILED)
        assert first.message
        assert (second.message, second.value) == (first.message, first.value)


async def test_verdict_cache_pending_measurements_keep_their_own_wait_budget(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness(backend=CACHING) as b:
        metric = Metric("calls", "true", "", json.dumps(TOO_FEW_CALLS).encode())
        previous = [Measurement(Phase.RUNNING, b.clock() - age) for age in (timedelta(0), timedelta(hours=1))]
        young, old = [await b.engine.resume(metric, RUN, before, Deadline.after(10)) for before in previous]
        assert young.phase is Phase.RUNNING
        assert old.phase is Phase.INCONCLUSIVE
        assert not evaluations


async def test_verdict_cache_ttl_zero_evaluates_every_measurement(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness() as b:
        for _ in range(2):
            await measure(b, build_metric("result.service_apdex != nil"))
        assert len(evaluations) == 2


async def test_verdict_cache_entry_expires_after_ttl_from_start_of_measurement(harness: HarnessFactory) -> None:
    ttls = BackendConfig.model_validate({"url": "http://oap:12800"}).cache
    assert (ttls.response_ttl, ttls.verdict_ttl) == (timedelta(seconds=7), timedelta(seconds=3))
    async with harness(backend=CACHING) as b:
        await measure(b, build_metric("result.service_apdex != nil"))
        ((key, entry),) = b.engine._attempts._verdict_cache._entries.items()
    started_at = now = 100.0
    cache = VerdictCache(lambda: now)
    now = 102.0  # the measurement took two seconds
    cache.put(key, entry.cached_verdict, started_at)
    now = 102.9
    assert cache.get(key) is entry.cached_verdict
    now = 103.1
    assert cache.get(key) is None
    cache.put(key, entry.cached_verdict, started_at)  # the measurement took longer than the TTL
    assert not cache._entries
    assert cache.get(key) is None


async def test_verdict_cache_large_results_and_long_series_are_not_cached(harness: HarnessFactory) -> None:
    async with harness(backend=CACHING) as b:
        await measure(b, build_metric("result.service_apdex != nil"))
        ((key, entry),) = b.engine._attempts._verdict_cache._entries.items()
        cache = VerdictCache(time.monotonic)
        cache.put(key, replace(entry.cached_verdict, characters=5000), time.monotonic())
        collected = entry.cached_verdict.collected_sample
        long = replace(collected, sample=replace(collected.sample, chart_series=(Series("calls", (1,) * 2000),)))
        cache.put(key, replace(entry.cached_verdict, collected_sample=long), time.monotonic())
        assert cache.get(key) is None


async def test_verdict_cache_large_blocks_are_bounded_in_bytes(harness: HarnessFactory) -> None:
    async with harness(backend=CACHING) as b:
        await measure(b, build_metric("result.service_apdex != nil"))
        ((key, entry),) = b.engine._attempts._verdict_cache._entries.items()
    cache = VerdictCache(lambda: 0.0)
    for number in range(200):
        metric = replace(key.metric, name=str(number), block=b"x" * 32_000)
        cache.put(replace(key, metric=metric), entry.cached_verdict, 0.0)

    assert sum(len(one.metric.block) for one in cache._entries) <= 4 * 1024 * 1024
    assert len(cache._entries) > 50
    assert cache._bytes == sum(one.size for one in cache._entries.values())
