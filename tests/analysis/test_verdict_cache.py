"""A verdict serves whoever asks the very same a moment later, and nobody else."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.analysis import verdict_cache
from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.verdict_cache import VerdictCache
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.queries.series import Series
from tests.analysis.harness import CANARY, RUN, Harness, HarnessFactory, build_metric

SHARING = {"cache": {"responseTtl": "7s", "verdictTtl": "3s"}, "clockTtl": "60s"}
QUIET = {"sli": "success-rate", "window": "3m", "service": CANARY, "since": "window", "minCalls": 10**9}


async def _measured(b: Harness, of: Metric, run: Run = RUN) -> Measurement:
    return await b.engine.run(of, run, Deadline.after(10))


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The conditions that were evaluated."""
    seen: list[tuple[Any, ...]] = []
    evaluate = ConditionEvaluator.evaluate

    async def counting(self: ConditionEvaluator, *question: Any) -> Any:
        seen.append(question[:2])
        return await evaluate(self, *question)

    monkeypatch.setattr(ConditionEvaluator, "evaluate", counting)
    return seen


async def test_the_same_metric_of_another_run_is_judged_once(harness: HarnessFactory, evaluations: list[Any]) -> None:
    async with harness(backend=SHARING) as b:
        first = await _measured(b, build_metric("result.service_apdex != nil"))
        second = await _measured(
            b, build_metric("result.service_apdex != nil"), replace(RUN, name="reviews-2", uid="2")
        )
        assert len(evaluations) == 1
        assert second == first
        assert second.phase is Phase.SUCCESSFUL


async def test_another_condition_namespace_window_or_name_is_judged_for_itself(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness(backend=SHARING) as b:
        one = build_metric("result.service_apdex != nil")
        for other in (one, replace(one, failure_condition="false"), replace(one, name="b"), build_metric("true")):
            await _measured(b, other)
        await _measured(b, one, replace(RUN, namespace="other"))
        b.clock.set(b.clock() + timedelta(minutes=1))
        await _measured(b, one)
        assert len(evaluations) == 6


async def test_a_failed_verdict_keeps_its_message_and_value_for_the_next(
    harness: HarnessFactory, evaluations: list[Any]
) -> None:
    async with harness("failing-canary", backend=SHARING) as b:
        first, second = [await _measured(b, build_metric("result == nil")) for _ in range(2)]
        assert len(evaluations) == 1
        assert (first.phase, second.phase) == (Phase.FAILED, Phase.FAILED)
        assert first.message
        assert (second.message, second.value) == (first.message, first.value)


async def test_nobody_waits_with_anothers_patience(harness: HarnessFactory, evaluations: list[Any]) -> None:
    async with harness(backend=SHARING) as b:
        waiting = Metric("calls", "true", "", json.dumps(QUIET).encode())
        began = [Measurement(Phase.RUNNING, b.clock() - age) for age in (timedelta(0), timedelta(hours=1))]
        young, old = [await b.engine.resume(waiting, RUN, before, Deadline.after(10)) for before in began]
        assert young.phase is Phase.RUNNING
        assert old.phase is Phase.INCONCLUSIVE
        assert not evaluations


async def test_without_verdict_ttl_every_measurement_is_judged(harness: HarnessFactory, evaluations: list[Any]) -> None:
    async with harness() as b:
        for _ in range(2):
            await _measured(b, build_metric("result.service_apdex != nil"))
        assert len(evaluations) == 2


async def test_no_verdict_is_made_of_responses_older_than_both_ttls(
    harness: HarnessFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer serves for seven seconds, a verdict for three from when its measurement began to look for answers."""
    cache = BackendConfig.model_validate({"url": "http://oap:12800"}).cache
    assert (cache.response_ttl, cache.verdict_ttl) == (timedelta(seconds=7), timedelta(seconds=3))
    async with harness(backend=SHARING) as b:
        await _measured(b, build_metric("result.service_apdex != nil"))
        ((asked, kept),) = b.engine._verdict_cache._entries.items()
    began = now = 100.0
    monkeypatch.setattr(verdict_cache.time, "monotonic", lambda: now)
    now = 102.0  # it took two seconds to be judged
    fresh = VerdictCache()
    fresh.put(asked, kept.cached_verdict, began)
    now = 102.9
    assert fresh.get(asked) is kept.cached_verdict
    now = 103.1
    assert fresh.get(asked) is None
    fresh.put(asked, kept.cached_verdict, began)  # of one that took longer
    assert not fresh._entries
    assert fresh.get(asked) is None


async def test_large_results_and_long_series_are_not_kept(harness: HarnessFactory) -> None:
    async with harness(backend=SHARING) as b:
        await _measured(b, build_metric("result.service_apdex != nil"))
        ((asked, kept),) = b.engine._verdict_cache._entries.items()
        crowd = VerdictCache()
        crowd.put(asked, replace(kept.cached_verdict, characters=5000), time.monotonic())
        answered = kept.cached_verdict.collected_sample
        long = replace(answered, sample=replace(answered.sample, chart_series=(Series("calls", (1,) * 2000),)))
        crowd.put(asked, replace(kept.cached_verdict, collected_sample=long), time.monotonic())
        assert crowd.get(asked) is None
