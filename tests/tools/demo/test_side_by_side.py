"""The second act of the demo: what both forms find in its minutes."""

import json
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.model import Deadline, Metric, Phase, Run
from skywalking_provider.tools.demo.side_by_side import BAD, HEALTHY, MINUTES, build_scenario, load_metrics
from skywalking_provider.tools.demo.side_by_side_view import shorten_undecided
from tests.analysis.harness import NOON, HarnessFactory


def build_metric(metric: dict[str, Any]) -> Metric:
    block = json.dumps(metric["provider"]["plugin"]["skywalking/metrics"]).encode()
    return Metric(metric["name"], metric.get("successCondition", ""), "", block)


async def look_each_minute(harness: HarnessFactory, failures: tuple[int, ...]) -> tuple[list[Phase], list[Phase]]:
    """Return the phases of the threshold and of the judged block, until the latter is completed."""
    threshold, judged = (build_metric(metric) for metric in load_metrics())
    phases: tuple[list[Phase], list[Phase]] = ([], [])
    async with harness(build_scenario(failures)) as running:
        for minute in range(1, MINUTES + 1):
            running.clock.set(NOON + timedelta(minutes=minute, seconds=90))
            for metric, found in zip((threshold, judged), phases, strict=True):
                run = Run("bookinfo", "demo", created_at=NOON, started_at=NOON)
                found.append((await running.engine.run(metric, run, Deadline.after(10))).phase)
            if phases[1][-1].completed:
                break
    return phases


async def test_healthy_canary_is_aborted_by_the_threshold_and_found_fine_by_the_judge(harness: HarnessFactory) -> None:
    threshold, judged = await look_each_minute(harness, HEALTHY)

    assert Phase.FAILED in threshold
    assert judged[-1] is Phase.SUCCESSFUL
    assert set(judged[:-1]) == {Phase.RUNNING}


async def test_bad_canary_is_failed_by_both(harness: HarnessFactory) -> None:
    threshold, judged = await look_each_minute(harness, BAD)

    assert threshold[0] is Phase.FAILED
    assert judged[-1] is Phase.FAILED
    assert len(judged) <= 6


@pytest.mark.parametrize(
    ("message", "short"),
    [
        (
            "UNDECIDED too few calls: canary 0 of 24 failed · about 8 more minutes at this traffic · 1 instance",
            "too few calls · about 8 more minutes at this traffic",
        ),
        (
            "UNDECIDED looks worse, but is not certain yet: success-rate 0.9 · evidence 286, needed 1 000 · 1 instance",
            "looks worse · evidence 286, needed 1 000",
        ),
        ("NO_DATA no bucket has closed yet · backend mock", "NO_DATA no bucket has closed yet"),
    ],
)
def test_undecided_message_is_shortened_to_its_cause_and_numbers(message: str, short: str) -> None:
    assert shorten_undecided(message) == short
