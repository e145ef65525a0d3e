"""Workload of a soak test: metric kinds, analysis runs, and the guarantees that each measurement must keep."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap import Scenario

SERVICES = 20
BACKEND_TOKEN = "soak-backend-t0ken-7f3a9c"  # noqa: S105 - planted; the test searches for it
_SECRET_PREFIX = "soak-argument-s3cret-"  # noqa: S105
_HASHES = {"good": "6c85f7bf4", "bad": "7d4f9c8b65", "idle": "5b8c6d7f99"}
_MAX_RESUME_SECONDS = 61  # one minute, rounded up to a whole second
_BRIDGE_GONE = re.compile(r"rpc call error|could not ping plugin|connection is shut down|EOF")


@dataclass(frozen=True, slots=True)
class MetricKind:
    """A kind of metric and the phases that it may end with.

    Attributes:
        name: Name of the metric in results and messages.
        pods: Pods to measure: `good`, `bad` or `idle`.
        allowed_phases: Phases that a measurement may end with. Only a killed bridge permits Error as well.
        block: Keys of the block besides the service and the pods.
        condition: successCondition of the metric.
    """

    name: str
    pods: str
    allowed_phases: frozenset[str]
    block: dict[str, Any]
    condition: str = "result >= 0.99"

    def build_metric(self, number: int) -> dict[str, Any]:
        """Build the metric of the run with this number."""
        block = {
            "backend": "soak",
            "sli": "success-rate",
            "service": f"shop-{number % SERVICES}",
            "window": "3m",
            "instances": {"podTemplateHash": _HASHES[self.pods]},
        } | self.block
        metric: dict[str, Any] = {"name": self.name, "provider": {"plugin": {"skywalking/metrics": block}}}
        if self.condition:
            metric["successCondition"] = self.condition
        return metric


METRIC_KINDS = (
    MetricKind("healthy", "good", frozenset({"Successful"}), {}),
    MetricKind("short-grace", "good", frozenset({"Successful", "Inconclusive"}), {"outageGrace": "1s"}),
    MetricKind(
        "healthy-cel",
        "good",
        frozenset({"Successful"}),
        {"conditions": {"language": "cel", "success": "result >= 0.99"}},
        condition="",
    ),
    MetricKind("bad", "bad", frozenset({"Failed"}), {}),
    MetricKind("no-data", "idle", frozenset({"Inconclusive"}), {"maxWait": "4s"}),
    MetricKind("no-data-unconditional", "idle", frozenset({"Inconclusive"}), {"maxWait": "4s"}, condition=""),
)
"""The metrics of each run."""

SECRET_KIND = MetricKind("secret-in-block", "good", frozenset({"Error"}), {"serviceName": "{{args.token}}"})
"""A metric whose block contains a secret; the bridge rejects it."""


def build_scenario() -> Scenario:
    """Build the mock OAP's data for the measured services."""
    pods = {
        "good": [{"calls": 60, "latencies": [30, 45, 160]}],
        "bad": [{"calls": 60, "failures": 6, "latencies": [30, 45, 160]}],
        "idle": [{"calls": 60, "until": -60}],
    }
    instances = [
        {"name": f"shop-{_HASHES[name]}-x7k2d", "attributes": {}, "traffic": traffic} for name, traffic in pods.items()
    ]
    services = [{"name": f"shop-{number}", "instances": instances} for number in range(SERVICES)]
    return Scenario.model_validate({"services": services})


def build_failing_scenario() -> Scenario:
    """Build the data of services with agents, of whose endpoints one fails in the canary's pod."""
    endpoints = ["GET:/carts/{id}", "DELETE:/carts/{id}", "POST:/carts/{id}/items"]
    fast = {"calls": 9, "latencies": [30, 45, 160], "endpoints": endpoints}
    slow = {"calls": 6, "failures": 4, "latencies": [900, 1500], "endpoints": endpoints[-1:]}
    services = [
        {
            "name": f"cart-{number}",
            "agent": True,
            "errorLog": "java.lang.IllegalStateException: cart not stored",
            "endpoints": endpoints,
            "instances": [
                {"name": f"cart-{_HASHES['good']}-x7k2d", "traffic": [fast]},
                {"name": f"cart-{_HASHES['bad']}-9zr8t", "traffic": [fast, slow]},
            ],
        }
        for number in range(SERVICES)
    ]
    return Scenario.model_validate({"services": services})


def build_analysis_run(number: int) -> dict[str, Any]:
    """Build an AnalysisRun with a secret argument, in the form in which Argo passes it."""
    reference = {"secretKeyRef": {"name": "credentials", "key": "token"}}
    return {
        "metadata": {"name": f"run-{number}", "namespace": f"team-{number % 5}"},
        "spec": {"metrics": [], "args": [{"name": "token", "value": secret_value(number), "valueFrom": reference}]},
    }


def secret_value(number: int) -> str:
    """Return the value of a run's secret argument."""
    return f"{_SECRET_PREFIX}{number:08d}"


def contains_secret(text: str) -> bool:
    """Return whether a text contains a planted secret."""
    return BACKEND_TOKEN in text or _SECRET_PREFIX in text


def is_lost_with_bridge(measurement: dict[str, Any]) -> bool:
    """Return whether a measurement ended with Argo's own error for a bridge that has ended."""
    return measurement["phase"] == "Error" and bool(_BRIDGE_GONE.search(measurement.get("message", "")))


def find_violations(kind: MetricKind, measurement: dict[str, Any], now: float, *, bridge_killed: bool) -> Iterator[str]:
    """Yield the guarantees that a response to Run or Resume violates.

    Args:
        kind: Kind of the metric.
        measurement: Measurement as Argo would store it, with its times in seconds.
        now: Time of the response, in seconds.
        bridge_killed: Whether the bridge was killed during the call or shortly before.
    """
    phase, message = measurement["phase"], measurement.get("message", "")
    if phase == "Running":
        resume = measurement.get("resumeAt")
        if resume is None or not resume <= now + _MAX_RESUME_SECONDS:
            yield f"{kind.name} is Running with resumeAt {resume or 'missing'}: {message}"
        return
    if measurement.get("finishedAt") is None:
        yield f"{kind.name} is {phase} without finishedAt: {message}"
    if bridge_killed and is_lost_with_bridge(measurement):
        return
    if phase not in kind.allowed_phases:
        yield f"{kind.name} is {phase}: {message}"


def find_terminate_violations(
    kind: MetricKind, previous: dict[str, Any], current: dict[str, Any], *, bridge_killed: bool
) -> Iterator[str]:
    """Yield the guarantees that a response to Terminate violates.

    The measurement must be Inconclusive and finished. Successful would pass a step of an aborted rollout, Error would
    count against the canary, and an unfinished measurement would keep the run from ending.

    Args:
        kind: Kind of the metric.
        previous: Running measurement that was passed to Terminate.
        current: Measurement that Terminate returned.
        bridge_killed: Whether the bridge was killed during the call or shortly before.
    """
    message = current.get("message", "")
    if bridge_killed and is_lost_with_bridge(current):
        return
    if current["phase"] != "Inconclusive":
        yield f"{kind.name} was terminated and is {current['phase']}: {message}"
    if current.get("finishedAt") is None or current.get("resumeAt") is not None:
        yield f"{kind.name} was terminated and is not finished: {message}"
    if any(current.get(key) != previous.get(key) for key in ("startedAt", "value")):
        yield f"{kind.name} was terminated and is another measurement: {previous} became {current}"
