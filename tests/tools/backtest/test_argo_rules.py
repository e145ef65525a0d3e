"""Tests of Argo's rules for the measurements of a metric."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.argo_rules import ERROR_RETRY, MetricProgress, MetricRules, read_rules
from skywalking_provider.tools.check.argo.validation import read_argo_metric

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PHASES = {"s": Phase.SUCCESSFUL, "f": Phase.FAILED, "i": Phase.INCONCLUSIVE, "e": Phase.ERROR}


def rules(**fields: Any) -> MetricRules:
    return read_rules(read_argo_metric({"name": "m", "provider": {"plugin": {"p": {}}}} | fields))


@pytest.mark.parametrize(
    ("fields", "measurements", "phase"),
    [
        ({}, "s", Phase.SUCCESSFUL),
        ({}, "f", Phase.FAILED),
        ({}, "i", Phase.INCONCLUSIVE),
        ({}, "eeee", Phase.RUNNING),
        ({}, "eeeee", Phase.ERROR),
        ({}, "eeees", Phase.SUCCESSFUL),
        ({"consecutiveErrorLimit": 0}, "e", Phase.ERROR),
        ({"interval": "1m"}, "ssssssss", Phase.RUNNING),
        ({"interval": "1m", "count": 3}, "ss", Phase.RUNNING),
        ({"interval": "1m", "count": 3}, "sss", Phase.SUCCESSFUL),
        ({"interval": "1m", "count": 3}, "sesees", Phase.SUCCESSFUL),
        ({"interval": "1m", "count": "3", "failureLimit": 1}, "fss", Phase.SUCCESSFUL),
        ({"interval": "1m", "count": 3, "failureLimit": 1}, "ff", Phase.FAILED),
        ({"interval": "1m", "count": 3, "inconclusiveLimit": 2}, "iis", Phase.SUCCESSFUL),
        ({"interval": "1m", "consecutiveErrorLimit": 1}, "esese", Phase.RUNNING),
        ({"interval": "1m", "consecutiveErrorLimit": 1}, "esee", Phase.ERROR),
        ({"interval": "1m", "failureLimit": -1, "consecutiveSuccessLimit": 2}, "ffffsfss", Phase.SUCCESSFUL),
        ({"interval": "1m", "count": 3, "failureLimit": -1, "consecutiveSuccessLimit": 2}, "sfs", Phase.FAILED),
        ({"interval": "1m", "count": 3, "failureLimit": 1, "consecutiveSuccessLimit": 2}, "sfs", Phase.INCONCLUSIVE),
    ],
)
def test_metric_progress_counts_measurements_as_argo_does(
    fields: dict[str, Any], measurements: str, phase: Phase
) -> None:
    progress = MetricProgress(rules(**fields))

    seen = [progress.add(PHASES[one]) for one in measurements]

    assert seen[-1] is phase
    assert all(one is Phase.RUNNING for one in seen[:-1])


def test_next_measurement_follows_the_end_of_the_last_one_by_the_interval_and_an_error_by_ten_seconds() -> None:
    progress = MetricProgress(rules(interval="90s"))

    assert progress.next_at(NOON, Phase.SUCCESSFUL) == NOON + timedelta(seconds=90)
    assert progress.next_at(NOON, Phase.ERROR) == NOON + ERROR_RETRY == NOON + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("fields", "planned"),
    [
        ({}, 0),
        ({"interval": "1m"}, None),
        ({"interval": "1m", "count": 0}, None),
        ({"interval": "2m", "count": 5, "initialDelay": "3m"}, 11),
    ],
)
def test_planned_length_has_delay_and_intervals(fields: dict[str, Any], planned: int | None) -> None:
    assert rules(**fields).planned_length == (None if planned is None else timedelta(minutes=planned))
