"""Cost of causes on the mock OAP: OAP requests of many Failed measurements, and of Successful ones."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.mock_oap import Scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase
from tests.analysis.harness import CANARY, NOON, VANILLA, Harness, HarnessFactory
from tests.analysis.judged import RUN as JUDGED_RUN

BACKEND = {"timeout": "120s", "cache": {"responseTtl": "7s", "verdictTtl": "3s"}, "clockTtl": "60s"}
STABLE = CANARY.replace("canary", "stable")
SERVICE = {"sli": "success-rate", "service": CANARY}
PODS = {"sli": "success-rate", "service": VANILLA, "instances": {"podTemplateHash": "6c85f7bf4"}}
JUDGED = SERVICE | {"compare": {"service": STABLE}}
METRICS: dict[str, tuple[dict[str, Any], str]] = {
    "success rate": (SERVICE | {"window": "5m"}, "result >= 0.99"),
    "stricter success rate": (SERVICE | {"window": "5m"}, "result >= 0.999"),
    "latency": (SERVICE | {"sli": "latency", "window": "5m"}, "result <= 10"),
    "pods": (PODS | {"window": "5m"}, "result >= 0.99"),
    "judged": (JUDGED, ""),
}
CAUSE_FIELDS = ("sortMetrics", "queryBasicTraces", "queryLogs", "endpointName")


@dataclass
class Seconds:
    """A monotonic clock that only the test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def measure(b: Harness, name: str, number: int = 0) -> Measurement:
    """Measure a metric of one of many runs, in five namespaces."""
    block, success = METRICS[name]
    run = replace(JUDGED_RUN, namespace=f"team-{number % 5}", name=f"run-{number}", uid=str(number))
    return await b.engine.run(Metric(name, success, "", json.dumps(block).encode()), run, Deadline.after(300))


def count_requests(b: Harness) -> Counter[str]:
    """Return the number of cause requests by what they read."""
    return Counter(
        "ranking" if "sortMetrics" in request.body else "read"
        for request in b.oap.requests
        if any(field in request.body for field in CAUSE_FIELDS)
    )


async def test_failed_measurements_of_the_same_windows_cost_a_tenth_of_a_cause_request_each(
    harness: HarnessFactory,
) -> None:
    monotonic, count = Seconds(), 250
    async with harness("failing-endpoint", backend=BACKEND, monotonic=monotonic) as b:
        b.clock.set(NOON + timedelta(minutes=20.5))
        measurements = []
        for number in range(count):
            monotonic.now = 55 * number / count  # the window is the newest one for a minute
            measurements.append(await measure(b, [*METRICS][number % len(METRICS)], number // len(METRICS)))

        assert {one.phase for one in measurements} == {Phase.FAILED}
        assert {"mostly POST:/reviews: " in one.message for one in measurements} == {True}
        requests = count_requests(b)
        assert requests == {"ranking": 4, "read": 4}
        assert requests.total() <= 0.1 * count


async def test_cause_is_read_again_for_the_next_window_and_after_a_minute(harness: HarnessFactory) -> None:
    monotonic = Seconds()
    async with harness("failing-endpoint", backend=BACKEND, monotonic=monotonic) as b:
        b.clock.set(NOON + timedelta(minutes=20.5))
        await measure(b, "success rate")
        b.clock.set(NOON + timedelta(minutes=21.5))
        await measure(b, "success rate")
        assert count_requests(b) == {"ranking": 2, "read": 2}
        monotonic.now = 61
        await measure(b, "success rate")
        assert count_requests(b) == {"ranking": 3, "read": 3}


async def test_cause_of_a_response_too_large_for_the_response_cache_is_read_once(harness: HarnessFactory) -> None:
    names = [f"GET:/api/v1/resource-{number}/{{id}}" for number in range(10)]
    services = [
        {"name": name, "endpoints": names, "traffic": [{"calls": 60, "failures": failures, "endpoints": names}]}
        for name, failures in ((CANARY, 12), (STABLE, 0))
    ]
    async with harness(Scenario.model_validate({"services": services}), backend=BACKEND) as b:
        b.clock.set(NOON + timedelta(minutes=61))
        for number in range(20):
            assert (await measure(b, "judged", number)).phase is Phase.FAILED
        assert count_requests(b) == {"ranking": 1, "read": 1}


async def test_cause_that_oap_does_not_have_is_requested_once(harness: HarnessFactory) -> None:
    services = [{"name": CANARY, "instances": [{"name": "canary-pod"}], "traffic": [{"calls": 60, "failures": 12}]}]
    monotonic = Seconds()
    async with harness(Scenario.model_validate({"services": services}), backend=BACKEND, monotonic=monotonic) as b:
        b.clock.set(NOON + timedelta(minutes=20.5))
        for number in range(20):
            monotonic.now = 2.0 * number
            measurement = await measure(b, "success rate", number)
            assert (measurement.phase, "mostly" in measurement.message) == (Phase.FAILED, False)
        assert count_requests(b) == {"ranking": 1, "read": 1}


@pytest.mark.parametrize("name", METRICS)
async def test_successful_measurement_sends_the_same_requests_with_causes_and_without(
    harness: HarnessFactory, name: str
) -> None:
    block, _ = METRICS[name]
    bodies = []
    for seconds in (60, 0):
        async with harness("healthy-canary" if name == "judged" else "failing-endpoint", backend=BACKEND) as b:
            b.engine._attempts._cause_limits = CauseLimits(seconds)
            b.clock.set(NOON + timedelta(minutes=20.5))
            metric = Metric(name, "" if name == "judged" else "result >= 0", "", json.dumps(block).encode())
            measurement = await b.engine.run(metric, JUDGED_RUN, Deadline.after(300))
            assert measurement.phase is Phase.SUCCESSFUL, measurement.message
            bodies.append([request.body for request in b.oap.requests])
    assert bodies[0] == bodies[1]
    assert not any(field in body for body in bodies[0] for field in CAUSE_FIELDS[:3])
