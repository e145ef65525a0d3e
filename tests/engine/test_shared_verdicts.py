"""A verdict serves whoever asks the very same a moment later, and nobody else."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import CANARY, RUN, Bench, Bencher, metric

from skywalking_provider import verdicts
from skywalking_provider.config import BackendConfig
from skywalking_provider.languages import Languages
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.series import Series
from skywalking_provider.verdicts import Verdicts

SHARING = {"answerTtl": "10s", "clockTtl": "60s"}
QUIET = {"sli": "success-rate", "window": "3m", "service": CANARY, "since": "window", "minCalls": 10**9}


async def _measured(b: Bench, of: Metric, run: Run = RUN) -> Measurement:
    return await b.engine.run(of, run, Deadline.after(10))


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The conditions that were evaluated."""
    seen: list[tuple[Any, ...]] = []
    evaluate = Languages.evaluate

    async def counting(self: Languages, *question: Any) -> Any:
        seen.append(question[:2])
        return await evaluate(self, *question)

    monkeypatch.setattr(Languages, "evaluate", counting)
    return seen


async def test_the_same_metric_of_another_run_is_judged_once(bench: Bencher, evaluations: list[Any]) -> None:
    async with bench(backend=SHARING) as b:
        first = await _measured(b, metric("result.service_apdex != nil"))
        second = await _measured(b, metric("result.service_apdex != nil"), replace(RUN, name="reviews-2", uid="2"))
        assert len(evaluations) == 1
        assert second == first
        assert second.phase is Phase.SUCCESSFUL


async def test_another_condition_namespace_window_or_name_is_judged_for_itself(
    bench: Bencher, evaluations: list[Any]
) -> None:
    async with bench(backend=SHARING) as b:
        one = metric("result.service_apdex != nil")
        for other in (one, replace(one, failure_condition="false"), replace(one, name="b"), metric("true")):
            await _measured(b, other)
        await _measured(b, one, replace(RUN, namespace="other"))
        b.clock.set(b.clock() + timedelta(minutes=1))
        await _measured(b, one)
        assert len(evaluations) == 6


async def test_a_failed_verdict_keeps_its_message_and_value_for_the_next(
    bench: Bencher, evaluations: list[Any]
) -> None:
    async with bench("failing-canary", backend=SHARING) as b:
        first, second = [await _measured(b, metric("result == nil")) for _ in range(2)]
        assert len(evaluations) == 1
        assert (first.phase, second.phase) == (Phase.FAILED, Phase.FAILED)
        assert first.message
        assert (second.message, second.value) == (first.message, first.value)


async def test_nobody_waits_with_anothers_patience(bench: Bencher, evaluations: list[Any]) -> None:
    async with bench(backend=SHARING) as b:
        waiting = Metric("calls", "true", "", json.dumps(QUIET).encode())
        began = [Measurement(Phase.RUNNING, b.clock() - age) for age in (timedelta(0), timedelta(hours=1))]
        young, old = [await b.engine.resume(waiting, RUN, before, Deadline.after(10)) for before in began]
        assert young.phase is Phase.RUNNING
        assert old.phase is Phase.INCONCLUSIVE
        assert not evaluations


async def test_without_answer_ttl_every_measurement_is_judged(bench: Bencher, evaluations: list[Any]) -> None:
    async with bench() as b:
        for _ in range(2):
            await _measured(b, metric("result.service_apdex != nil"))
        assert len(evaluations) == 2


async def test_no_verdict_is_made_of_answers_older_than_answer_ttl(
    bench: Bencher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer serves for seven seconds, a verdict for three from when its measurement began to look for answers."""
    config = BackendConfig.model_validate({"url": "http://oap:12800", "answerTtl": "10s"})
    assert (config.read_seconds, config.verdict_seconds) == (7.0, 3.0)
    async with bench(backend=SHARING) as b:
        await _measured(b, metric("result.service_apdex != nil"))
        ((asked, kept),) = b.engine._verdicts._kept.items()
    began = now = 100.0
    monkeypatch.setattr(verdicts.time, "monotonic", lambda: now)
    now = 102.0  # it took two seconds to be judged
    fresh = Verdicts()
    fresh.keep(asked, kept.finished, began)
    now = 102.9
    assert fresh.get(asked) is kept.finished
    now = 103.1
    assert fresh.get(asked) is None
    fresh.keep(asked, kept.finished, began)  # of one that took longer
    assert not fresh._kept
    assert fresh.get(asked) is None


async def test_large_results_and_long_series_are_not_kept(bench: Bencher) -> None:
    async with bench(backend=SHARING) as b:
        await _measured(b, metric("result.service_apdex != nil"))
        ((asked, kept),) = b.engine._verdicts._kept.items()
        crowd = Verdicts()
        crowd.keep(asked, replace(kept.finished, characters=5000), time.monotonic())
        answered = kept.finished.answered
        long = replace(answered, sample=replace(answered.sample, shown=(Series("calls", (1,) * 2000),)))
        crowd.keep(asked, replace(kept.finished, answered=long), time.monotonic())
        assert crowd.get(asked) is None
