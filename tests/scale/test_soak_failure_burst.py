"""Bursts of Failed measurements in the soak test: their metrics, and the violations that they detect."""

from dataclasses import replace

import pytest

from bench.soak.__main__ import result_tables
from bench.soak.failure_burst import METRICS, FailureBurst, count_cause_requests, find_burst_violations
from bench.soak.workload import build_failing_scenario
from skywalking_provider.block import Instances
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.entities import select_instances

BURST = FailureBurst(
    measurements=5000, failed=5000, with_cause=4900, rankings=40, reads=60, seconds=18.0, initial_mib=120, growth_mib=1
)


def violations(*bursts: FailureBurst) -> list[str]:
    return list(find_burst_violations([*bursts]))


def test_metrics_of_a_burst_select_services_and_one_pod_of_the_scenario() -> None:
    services = {one.name: one for one in build_failing_scenario().services}
    for metric in METRICS:
        block = metric.build("cart-3", 5)["provider"]["plugin"]["skywalking/metrics"]
        pods = [InventoryInstance(one.name, {}) for one in services[block["service"]].instances]
        selected = Instances.model_validate(block["instances"]) if "instances" in block else None
        assert selected is None or len(select_instances(selected, block["service"], pods)) == 1


def test_bursts_within_the_limits_have_no_violation() -> None:
    assert violations(replace(BURST, growth_mib=30), BURST, BURST) == []


@pytest.mark.parametrize(
    ("burst", "expected"),
    [
        (replace(BURST, failed=4998), "2 of 5000 are not Failed"),
        (replace(BURST, with_cause=0), "no message has a cause, so that the burst tests nothing"),
        (replace(BURST, reads=500), "0.108 cause requests each, limit 0.1"),
        (replace(BURST, growth_mib=8.2), "the service grew by 8.2 MiB, limit 8 MiB"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_burst_beyond_a_limit_is_a_violation(burst: FailureBurst, expected: str) -> None:
    assert violations(BURST, burst) == [f"burst 2 of Failed measurements: {expected}"]


def test_cause_requests_are_counted_by_what_they_read() -> None:
    bodies = ["sortMetrics", "endpointName queryLogs", "queryLogs", "execExpression", "listServices"]
    assert count_cause_requests(bodies) == (1, 2)


def test_results_have_a_table_of_the_bursts() -> None:
    raw = {"started": {}, "faults": [], "calls": {}, "growth": {}, "failureBursts": [BURST.to_json()]}
    *_, table = result_tables(raw)
    assert [*table.columns[0].cells, *table.columns[2].cells, *table.columns[4].cells] == ["5000", "40", "0.020"]
