"""Selection of pods by hash through the real bridge and Argo's own plugin client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.mock_oap.scenario import parse_scenario
from tests.install.argo_client import open_argo_client

RUN = {"metadata": {"namespace": "shop", "name": "guestbook"}, "spec": {}}
GUESTBOOK = "guestbook-6c85f7bf4-2-1"
PAYMENTS = "payments-gateway-reconciliation-worker-eu-west"
SCENARIO = f"""
services:
  - name: guestbook
    instances:
      - {{name: guestbook-7d4f9c8b65-2xkqz, traffic: [{{calls: 100}}]}}
      - {{name: {GUESTBOOK}-baseline-h6pnw, traffic: [{{calls: 100}}]}}
      - {{name: {GUESTBOOK}-canary-9zr8t, traffic: [{{calls: 10, failures: 1}}]}}
    traffic: [{{calls: 210}}]
  - name: payments-47
    instances:
      - {{name: {PAYMENTS}1-6c85f7bf4dx7k2q, traffic: [{{calls: 10, failures: 1}}]}}
      - {{name: {PAYMENTS}1-5fd8b7c66bm2nvz, traffic: [{{calls: 10}}]}}
    traffic: [{{calls: 20}}]
  - name: payments-53
    instances:
      - {{name: {PAYMENTS}-1-blue-6c85x7k2q, traffic: [{{calls: 10}}]}}
      - {{name: {PAYMENTS}-1-blue-5fd8m2nvz, traffic: [{{calls: 10}}]}}
    traffic: [{{calls: 20}}]
"""


@asynccontextmanager
async def argo_measures(folder: Path) -> AsyncIterator[Any]:
    """Run the service with the scenario, and yield a function that measures a block as Argo's controller does."""
    async with MockOap(parse_scenario(SCENARIO, "test")) as oap, open_argo_client(oap.url, folder) as host:

        async def measure(service: str, **instances: str) -> dict[str, Any]:
            block = {"sli": "success-rate", "window": "3m", "service": service, "instances": instances}
            provider = {"plugin": {"skywalking/metrics": block | {"maxWait": "0"}}}
            metric = {"name": "success-rate", "successCondition": "result >= 0.95", "provider": provider}
            measurement: dict[str, Any] = (await host.request("run", run=RUN, metric=metric))["measurement"]
            return measurement

        yield measure


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("p")  # short: a socket path has at most 107 bytes


async def test_bad_canary_of_an_experiment_is_failed_by_the_recipe_and_not_judged_by_hash(folder: Path) -> None:
    async with argo_measures(folder) as measure:
        by_hash = await measure("guestbook", podTemplateHash="6c85f7bf4")
        by_recipe = await measure("guestbook", name=f"{GUESTBOOK}-canary-[a-z0-9]{{5}}([.@].*)?")
        stable = await measure("guestbook", podTemplateHash="7d4f9c8b65")

    assert by_hash["phase"] == "Error", by_hash
    assert (
        f"ENTITY_NOT_FOUND instances: no instance of 'guestbook' matches 6c85f7bf4: {GUESTBOOK}-baseline-h6pnw"
        in (by_hash["message"])
    )
    assert "belongs to an Experiment" in by_hash["message"]
    assert (by_recipe["phase"], by_recipe["value"]) == ("Failed", "0.9")
    assert (stable["phase"], stable["value"]) == ("Successful", "1")


async def test_canary_of_a_long_rollout_is_measured_or_an_error_with_the_remedy(folder: Path) -> None:
    async with argo_measures(folder) as measure:
        canary = await measure("payments-47", podTemplateHash="6c85f7bf4d")
        stable = await measure("payments-47", podTemplateHash="5fd8b7c66b")
        cut = await measure("payments-53", podTemplateHash="6c85f7bf4d")

    assert (canary["phase"], canary["value"]) == ("Failed", "0.9")
    assert (stable["phase"], stable["value"]) == ("Successful", "1")
    assert cut["phase"] == "Error", cut
    assert "QUERY_INVALID" in cut["message"]
    assert "Kubernetes cuts pod names at 63 characters" in cut["message"]
    assert "Shorten the rollout's name to 46 characters" in cut["message"]
