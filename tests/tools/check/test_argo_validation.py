"""Tests of Argo's validation against records of Argo's own functions, which bridge/internal/argooracle writes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.check.argo.durations import find_duration_error
from skywalking_provider.tools.check.argo.name_rules import (
    dry_run_rules,
    find_repeated_rule,
    find_unmatched_rules,
    retention_rules,
    select_names,
)
from skywalking_provider.tools.check.argo.validation import (
    LIMITS,
    ArgoMetric,
    find_metric_error,
    find_metric_errors,
    is_number,
    read_argo_metric,
    read_int,
    runs_indefinitely,
)
from tests.tools.check.harness import DATA

CASES: list[dict[str, Any]] = json.loads((DATA / "argo-cases.json").read_text(encoding="utf-8"))
RECORDS: list[dict[str, Any]] = json.loads((DATA / "argo-oracle-v1.10.2.json").read_text(encoding="utf-8"))


def observe(spec: dict[str, Any]) -> dict[str, Any]:
    """Return what the oracle records, by the modules under test."""
    metrics = [read_argo_metric(one) for one in spec["metrics"]]
    names = [one.name for one in metrics]
    dry_run = dry_run_rules([one["metricName"] for one in spec.get("dryRun", [])])
    retention = retention_rules([one["metricName"] for one in spec.get("measurementRetention", [])])
    uncounted = select_names(dry_run, names)
    return {
        "metrics": next((error for _, error in find_metric_errors(metrics)), "" if names else "no metrics specified"),
        "dryRun": next((error for _, error in find_unmatched_rules(dry_run, names)), ""),
        "retention": next((error for _, error in find_unmatched_rules(retention, names)), ""),
        "dryRunMetrics": [name for name in names if name in uncounted],
        "indefinite": [one.name for one in metrics if runs_indefinitely(one)],
        "repeated": find_repeated_rule(dry_run) or find_repeated_rule(retention),
    }


def test_oracle_has_a_record_for_each_case() -> None:
    assert [one["name"] for one in CASES] == [one["name"] for one in RECORDS]
    assert len(RECORDS) > 300


@pytest.mark.parametrize(("case", "record"), list(zip(CASES, RECORDS, strict=True)), ids=[one["name"] for one in CASES])
def test_validation_has_the_messages_of_argo(case: dict[str, Any], record: dict[str, Any]) -> None:
    observed = observe(case["spec"])

    is_repeated = record["run"].startswith(("two Dry-Run", "two Measurement"))
    assert observed == {key: record[key] for key in observed if key != "repeated"} | {
        "repeated": record["run"] if is_repeated else ""
    }


def build(**limits: int | str) -> ArgoMetric:
    return ArgoMetric("a", limits, "1m", "", ("web",))


@given(st.dictionaries(st.sampled_from(LIMITS), st.integers(-3, 6)))
def test_valid_limits_are_numbers_that_argo_can_reach(limits: dict[str, int]) -> None:
    metric = build(**limits)
    count, failures, successes = (limits.get(key, 0) for key in ("count", "failureLimit", "consecutiveSuccessLimit"))

    if find_metric_error(metric):
        return
    assert failures >= -1
    assert min(successes, limits.get("inconclusiveLimit", 0), limits.get("consecutiveErrorLimit", 0)) >= 0
    assert count <= 0 or count >= max(failures, 0) + successes


@given(st.dictionaries(st.sampled_from(LIMITS), st.integers(-3, 6)))
def test_limits_as_text_are_validated_like_numbers(limits: dict[str, int]) -> None:
    as_text = {key: str(value) for key, value in limits.items()}

    assert find_metric_error(build(**as_text)) == find_metric_error(build(**limits))


@given(st.text())
def test_text_that_is_not_a_number_is_zero(text: str) -> None:
    assert is_number(text) or read_int(text) == 0


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["h", "m", "s", "ms", "us"])), min_size=1, max_size=4))
def test_durations_of_known_units_are_accepted(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)

    assert find_duration_error(text) == ""
    assert find_duration_error(f"{text}1") == f'time: missing unit in duration "{text}1"'
    assert find_duration_error(f"{text}1d") == f'time: unknown unit "d" in duration "{text}1d"'


@given(st.text())
def test_any_text_has_a_duration_error_or_a_digit(text: str) -> None:
    assert find_duration_error(text) or any(digit in text for digit in "0123456789")


def test_duration_of_more_digits_than_python_converts_is_invalid() -> None:
    assert find_duration_error(f"{'9' * 5000}s").startswith("time: invalid duration")
    assert find_duration_error(f"{'0' * 5000}9s") == ""
