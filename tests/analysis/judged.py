"""Rollouts of a judged block: pods of canary and stable with calls by minute, and measurements of them."""

import json
from datetime import timedelta
from typing import Any

from skywalking_provider.mock_oap import Scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Run
from tests.analysis.harness import NOON, Harness

CANARY_HASH, STABLE_HASH = "6c85f7bf4", "5b8c6d7f99"
SERVICE = "reviews.bookinfo"
COMPARE = {
    "sli": "success-rate",
    "service": SERVICE,
    "instances": {"podTemplateHash": CANARY_HASH},
    "compare": {"instances": {"podTemplateHash": STABLE_HASH}},
}
OBJECTIVE = {
    "sli": "success-rate",
    "service": SERVICE,
    "instances": {"podTemplateHash": CANARY_HASH},
    "objective": 0.99,
}


def pod(pod_template_hash: str, *traffic: dict[str, Any], suffix: str = "x7k2d") -> dict[str, Any]:
    return {"name": f"reviews-{pod_template_hash}-{suffix}", "attributes": {}, "traffic": list(traffic)}


def rollout(*pods: dict[str, Any]) -> Scenario:
    return Scenario.model_validate({"services": [{"name": SERVICE, "instances": list(pods)}]})


def calls(number: int, failures: int = 0, **keys: Any) -> dict[str, Any]:
    return {"calls": number, "failures": failures} | keys


def both(canary: dict[str, Any], stable: dict[str, Any]) -> Scenario:
    return rollout(pod(CANARY_HASH, canary), pod(STABLE_HASH, stable))


def metric(block: dict[str, Any], success: str = "", failure: str = "") -> Metric:
    return Metric("success-rate", success, failure, json.dumps(block).encode())


RUN = Run(namespace="bookinfo", name="reviews-1", created_at=NOON, started_at=NOON)


async def judge_at(
    harness: Harness, minutes: float, block: dict[str, Any], *, run: Run = RUN, success: str = "", failure: str = ""
) -> Measurement:
    """Return a measurement that starts some minutes after the run."""
    harness.clock.set(NOON + timedelta(minutes=minutes))
    return await harness.engine.run(metric(block, success, failure), run, Deadline.after(10))
