"""Who is measured, and what must never be said of whom."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from skywalking_provider.mock_oap import Scenario

SERVICES = 20
BACKEND_TOKEN = "soak-backend-t0ken-7f3a9c"  # noqa: S105 - planted, to be looked for
_SECRET_PREFIX = "soak-argument-s3cret-"  # noqa: S105
_HASHES = {"good": "6c85f7bf4", "bad": "7d4f9c8b65", "idle": "5b8c6d7f99"}
_MAX_RESUME_SECONDS = 61  # a minute, rounded up to a whole second
_BRIDGE_GONE = re.compile(r"rpc call error|could not ping plugin|connection is shut down|EOF")


@dataclass(frozen=True, slots=True)
class MetricKind:
    """A kind of metric.

    Attributes:
        name: Of the kind.
        pods: Whose pods it asks for.
        allowed_phases: The phases that it may end with. Error is another thing: only a killed bridge excuses it.
        block: What it says beside the service and the pods.
        condition: The metric's successCondition.
    """

    name: str
    pods: str
    allowed_phases: frozenset[str]
    block: dict[str, str]
    condition: str = "result >= 0.99"

    def build_metric(self, number: int) -> dict[str, Any]:
        """The metric of a run."""
        block = {
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
    MetricKind("impatient", "good", frozenset({"Successful", "Inconclusive"}), {"outageGrace": "1s"}),
    MetricKind("bad", "bad", frozenset({"Failed"}), {}),
    MetricKind("silent", "idle", frozenset({"Inconclusive"}), {"maxWait": "4s"}),
    MetricKind("silent-unconditional", "idle", frozenset({"Inconclusive"}), {"maxWait": "4s"}, condition=""),
)
"""The metrics of each run."""

SECRET_KIND = MetricKind("leaky", "good", frozenset({"Error"}), {"serviceName": "{{args.token}}"})
"""Names a secret in its block, and is refused."""


def build_scenario() -> Scenario:
    """What the OAP has of them."""
    pods = {
        "good": [{"calls": 60, "latencies": [30, 45, 160]}],
        "bad": [{"calls": 60, "failures": 6, "latencies": [30, 45, 160]}],
        "idle": [{"calls": 60, "until": -60}],
    }
    instances = [
        {"name": f"shop-{_HASHES[name]}-x{at}", "attributes": {}, "traffic": traffic}
        for at, (name, traffic) in enumerate(pods.items())
    ]
    services = [{"name": f"shop-{number}", "instances": instances} for number in range(SERVICES)]
    return Scenario.model_validate({"services": services})


def build_analysis_run(number: int) -> dict[str, Any]:
    """A run with a secret argument, as Argo hands it over."""
    reference = {"secretKeyRef": {"name": "credentials", "key": "token"}}
    return {
        "metadata": {"name": f"run-{number}", "namespace": f"team-{number % 5}"},
        "spec": {"metrics": [], "args": [{"name": "token", "value": secret_value(number), "valueFrom": reference}]},
    }


def secret_value(number: int) -> str:
    """The value of a run's secret argument."""
    return f"{_SECRET_PREFIX}{number:08d}"


def contains_secret(text: str) -> bool:
    """Whether a planted secret is in it."""
    return BACKEND_TOKEN in text or _SECRET_PREFIX in text


def is_lost_with_bridge(measurement: dict[str, Any]) -> bool:
    """Whether it ended in the words that Argo has for a bridge that is gone."""
    return measurement["phase"] == "Error" and bool(_BRIDGE_GONE.search(measurement.get("message", "")))


def find_violations(kind: MetricKind, measurement: dict[str, Any], now: float, *, bridge_killed: bool) -> Iterator[str]:
    """What an answer to Run or Resume should not have been.

    Args:
        kind: Of the metric.
        measurement: As Argo would store it, its instants as seconds.
        now: When it came.
        bridge_killed: Whether the bridge was, during the call or just before.
    """
    phase, message = measurement["phase"], measurement.get("message", "")
    if phase == "Running":
        resume = measurement.get("resumeAt")
        if resume is None or not resume <= now + _MAX_RESUME_SECONDS:
            yield f"{kind.name} is Running, to be resumed {resume or 'never'}: {message}"
        return
    if measurement.get("finishedAt") is None:
        yield f"{kind.name} is {phase} and not finished: {message}"
    if bridge_killed and is_lost_with_bridge(measurement):
        return
    if phase not in kind.allowed_phases:
        yield f"{kind.name} is {phase}: {message}"


def find_terminate_violations(
    kind: MetricKind, previous: dict[str, Any], current: dict[str, Any], *, bridge_killed: bool
) -> Iterator[str]:
    """What an answer to Terminate should not have been.

    Successful would pass a step of a rollout that is aborted, Error would count against the canary, and what is not
    finished would keep the run from its end.

    Args:
        kind: Of the metric.
        previous: The measurement that was Running.
        current: What came back.
        bridge_killed: Whether the bridge was, during the call or just before.
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
