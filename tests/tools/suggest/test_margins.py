"""Tests of the margins: they follow from A/A runs, which abort where pods of one version differ."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
import yaml

from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.tools.suggest.runner import Suggestion
from tests.tools.lint.harness import lint_text
from tests.tools.suggest.harness import PLUGIN, build_service, open_stage

pytestmark = [
    pytest.mark.allow_slow_callbacks("a suggestion computes for seconds, and serves no one meanwhile"),
    pytest.mark.timeout(600),
]
UNEVEN, BROKEN = 45, 180
"""Failed calls of the worst of four pods, of 900 in each minute. The others fail in nine."""


def build_scenario() -> Scenario:
    services = []
    for name, failures in (("uneven.shop", UNEVEN), ("broken.shop", BROKEN)):
        service = build_service(name, pods=4, calls=900, canary_calls=0, failures=9)
        service["instances"][3]["traffic"][0]["failures"] = failures
        services.append(service)
    return parse_scenario(yaml.safe_dump({"services": services}), "pods that differ")


@pytest.fixture(scope="module")
def suggested(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Suggestion]:
    async def run() -> dict[str, Suggestion]:
        async with AsyncExitStack() as stack:
            stage = await open_stage(stack, tmp_path_factory.mktemp("cache"), build_scenario())
            return {name: await stage.suggest(f"{name}.shop", background=True) for name in ("uneven", "broken")}

    return asyncio.run(run())


def read_compare(suggestion: Suggestion) -> list[dict[str, object]]:
    """Return `compare` of the success rate in both templates."""
    templates = yaml.safe_load_all(suggestion.template)
    return [one["spec"]["metrics"][0]["provider"]["plugin"][PLUGIN]["compare"] for one in templates]


async def test_margins_are_widened_until_pods_of_one_version_do_not_abort(suggested: Mapping[str, Suggestion]) -> None:
    suggestion = suggested["uneven"]

    for compare in read_compare(suggestion):
        assert compare["tolerated"] == {"ratio": 2, "difference": 0.02}
        assert compare["harmful"] == {"ratio": 4, "difference": 0.05}
    assert "# wider than the default, with which pods of one version abort each other" in suggestion.template
    assert suggestion.template.count("False aborts: 0 of 100 A/A runs") == 2
    assert (await lint_text(suggestion.template)).findings == []


def test_pod_that_no_margin_covers_is_named_as_advice(suggested: Mapping[str, Suggestion]) -> None:
    suggestion = suggested["broken"]

    assert [list(one) for one in read_compare(suggestion)] == [["instances"], ["instances"]]
    (advice,) = [one for one in suggestion.advice if "pods of one version differ" in one]
    assert advice.startswith("success-rate: ")
    assert "Find the pod that is worse than the others" in advice
