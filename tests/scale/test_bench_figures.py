"""Figures of the benchmark: memory trend, rollouts of the virtual day, judged burst, replicas, and their tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.judged_burst import LOADS
from bench.replicas import count_measurements
from bench.report import report_tables
from bench.rollout_schedule import IN_PROGRESS, MINUTES, SERVICES, Rollout, rollouts_in_progress
from bench.statistics import TARGET_SCENARIOS, count_unexpected, largest_share
from bench.steady_state import FIRST_HOUR, fit_trend
from bench.virtual_day import build_run, list_metrics
from skywalking_provider.block import parse_block

RESULTS = Path(__file__).parents[2] / "bench/results/performance.json"


def build_hours(trend_hours: list[float]) -> list[dict[str, Any]]:
    sizes = [50.0 + 10 * hour for hour in range(FIRST_HOUR - 1)] + trend_hours
    return [{"hour": at + 1, "residentMiB": size, "objects": 1} for at, size in enumerate(sizes)]


def build_row(**keys: Any) -> dict[str, Any]:
    return {
        "seconds": 2.0,
        "phases": {"Successful": 1000},
        "latencyMs": {"count": 1000, "p99": 250.0},
        "oap": {"requests": {"read": 20, "time": 1}},
        "serviceCpuSeconds": 1.5,
    } | keys


def test_trend_of_a_line_is_its_slope_without_margin() -> None:
    trend = fit_trend(build_hours([100 + 0.5 * hour for hour in range(12)]))
    assert trend.slope == pytest.approx(0.5)
    assert trend.margin == pytest.approx(0, abs=1e-6)
    assert not trend.is_steady


def test_trend_margin_is_that_of_the_regression() -> None:
    alternating = [100.0 + (-1) ** hour for hour in range(12)]
    trend = fit_trend(build_hours(alternating))
    # By hand: Sxx = 143, slope = -6 / 143, residual sum of squares = 12 - 36 / 143, 10 degrees of freedom.
    assert trend.slope == pytest.approx(-6 / 143)
    assert trend.margin == pytest.approx(2.2281389 * ((12 - 36 / 143) / 10 / 143) ** 0.5)
    assert trend.is_steady


@pytest.mark.parametrize(("slope", "steady"), [(0.04, True), (0.06, False), (-1.0, True)])
def test_growth_without_noise_is_steady_if_negligible(slope: float, steady: bool) -> None:
    assert fit_trend(build_hours([100 + slope * hour for hour in range(12)])).is_steady is steady


def test_rollouts_of_a_day_follow_one_another_with_new_hashes() -> None:
    minutes = [list(rollouts_in_progress(minute)) for minute in range(24 * 60)]
    for minute, rollouts in enumerate(minutes):
        assert len({one.service for one in rollouts}) == IN_PROGRESS
        assert all(one.start <= minute < one.start + MINUTES for one in rollouts)
    by_number = {one.number: one for rollouts in minutes for one in rollouts}
    assert len({one.start for one in by_number.values()}) == len(by_number)
    assert len({one.hashes[0] for one in by_number.values()}) == len(by_number) > 200


def test_stable_version_is_the_canary_of_the_rollout_before() -> None:
    rollout, next_one = Rollout(7, 0), Rollout(7 + SERVICES, 40)
    assert rollout.service == next_one.service
    assert next_one.hashes[1] == rollout.hashes[0] != next_one.hashes[0]


def test_rollout_has_thresholded_and_judged_metrics_of_its_service() -> None:
    rollout = Rollout(57, 40)
    specs = [parse_block(metric.block) for metric in list_metrics(rollout)]
    assert [spec.judged for spec in specs] == [False, False, True, True]
    assert {spec.service for spec in specs} == {"canary|svc-0007|bookinfo|cluster-1|-"}
    assert build_run(rollout).name == "rollout-57"


def test_bursts_of_all_forms_have_the_same_number_of_measurements() -> None:
    assert {(load["runs"], load["metrics"], load["services"]) for load in LOADS.values()} == {(400, 5, 50)}


def test_measurements_of_a_log_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text('{"event":"ready"}\n{"analysisrun":"a","phase":"Successful"}\n{"analysisrun":"b"}\n')
    assert count_measurements(log) == 2


def test_largest_share_is_that_of_the_busiest_replica_of_any_repetition() -> None:
    rows = [{"measurementsByReplica": [50, 50]}, {"measurementsByReplica": [30, 90]}]
    assert largest_share(rows) == pytest.approx(0.75)


def test_table_of_the_judged_burst_has_a_row_for_each_form() -> None:
    rows = [build_row(form=form) for form in LOADS]
    [table] = report_tables({"judged-burst": rows})
    assert table.rows == [(form, "2.00", "0.0210", "1.50", "250") for form in LOADS]


def test_table_of_the_virtual_day_tells_whether_memory_is_steady() -> None:
    day = {"hours": build_hours([290.0] * 12), "rollouts": 216, "phases": {"Successful": 30_000, "Running": 4_560}}
    [table] = report_tables({"virtual-day": day})
    assert table.rows == [("34,560", "50.0", "280.0", "290.0", "+0.000 ± 0.000", "yes")]
    assert "216 rollouts" in table.title


def test_table_of_replicas_derives_the_rate_of_their_own_cores() -> None:
    rows = [
        build_row(
            replicas=count,
            workload=workload,
            repetition=0,
            bridgeCpuSeconds=0.5,
            measurementsByReplica=[1000 // count] * count,
        )
        for count in (1, 2)
        for workload in ("burst", "uncached", "shared")
    ]
    [table] = report_tables({"replicas": rows})
    assert table.rows[1] == ("uncached", "2", "500", "1.500", "0.500", "0.0210", "1,333", "50 %")
    assert table.rows[-1] == ("burst", "2", "500", "1.500", "0.500", "0.0210", "", "50 %")


@pytest.mark.parametrize("scenario", ["judged-burst", "replicas"])
def test_measurement_of_another_phase_is_unexpected(scenario: str) -> None:
    assert count_unexpected({scenario: [build_row(), build_row(phases={"Successful": 998, "Running": 2})]}) == 2


def test_virtual_day_may_have_running_measurements_only() -> None:
    assert count_unexpected({"virtual-day": {"phases": {"Successful": 10, "Running": 3, "Error": 2}}}) == 2


def test_rows_without_the_new_scenarios_have_their_tables() -> None:
    raw = json.loads(RESULTS.read_text())
    old = {key: value for key, value in raw.items() if key not in ("judged-burst", "virtual-day", "replicas")}
    titles = [table.title for table in report_tables(old)]
    assert any(title.startswith("Burst") for title in titles)
    assert ("Targets" in titles) is (old.keys() >= TARGET_SCENARIOS)
