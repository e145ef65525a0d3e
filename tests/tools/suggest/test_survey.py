"""Tests of the survey: OAP versions and time zones, a past shorter than `--since`, and instances without a hash."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider.errors import EntityNotFoundError, ProviderError
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.tools.suggest.runner import Suggestion
from tests.tools.suggest.harness import build_service, open_stage

pytestmark = [
    pytest.mark.allow_slow_callbacks("a suggestion computes for seconds, and serves no one meanwhile"),
    pytest.mark.timeout(600),
]


def build_scenario(*services: dict[str, Any]) -> Scenario:
    reviews = build_service("reviews.shop", pods=2, calls=200, canary_calls=40, failures=2)
    return parse_scenario(yaml.safe_dump({"services": [reviews, *services]}), "survey")


async def suggest(folder: Path, scenario: Scenario, oap: dict[str, Any], **options: Any) -> Suggestion:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, folder, scenario, **oap)
        return await stage.suggest(**({"service": "reviews.shop", "since": timedelta(hours=2)} | options))


@pytest.mark.parametrize(
    "oap", [{"version": "9.2.0"}, {"timezone": "+0545"}, {"version": "9.6.0", "timezone": "-0330"}, {}]
)
async def test_suggestion_is_the_same_on_any_oap(tmp_path: Path, oap: dict[str, Any]) -> None:
    suggestion = await suggest(tmp_path, build_scenario(), oap)

    lines = suggestion.template.splitlines()
    assert lines[1] == "# Last 2 h: 413 calls a minute, 400 in quiet hours; 100 % of the minutes have calls."
    assert "    # Last 2 h: success rate 99.03 % of 49,560 calls." in lines
    assert "    # Backtest: it would have aborted 0 of 2 runs of past deploys." in lines


async def test_past_shorter_than_since_is_named(tmp_path: Path) -> None:
    suggestion = await suggest(tmp_path, build_scenario(), {}, since=timedelta(hours=9))

    (advice,) = [one for one in suggestion.advice if "--since" in one]
    assert advice.startswith("the OAP has no calls before 2026-11-24 08:00 +0000: its TTL or the life of the service")
    assert "# Last 4 h: " in suggestion.template


async def test_instances_without_a_hash_beside_others_are_named(tmp_path: Path) -> None:
    mixed = build_service("mixed.shop", pods=2, calls=200, canary_calls=0)
    mixed["instances"].append({"name": "10.0.0.9", "traffic": [{"calls": 50}]})

    suggestion = await suggest(tmp_path, build_scenario(mixed), {}, service="mixed.shop")

    assert "compare:" in suggestion.template
    assert "450 calls a minute" in suggestion.template
    assert (
        "1 of 3 instances have no pod-template-hash (10.0.0.9): their calls belong to neither version"
        in suggestion.advice
    )


async def test_service_without_instances_is_measured_as_a_whole(tmp_path: Path) -> None:
    plain = {"name": "plain.shop", "traffic": [{"calls": 60, "failures": 1}]}

    suggestion = await suggest(tmp_path, build_scenario(plain), {}, service="plain.shop")

    assert "objective: 0.96" in suggestion.template
    assert any("the OAP lists no instances of the service. The template" in one for one in suggestion.advice)


async def test_rate_of_a_few_calls_has_no_threshold(tmp_path: Path) -> None:
    rare = {"name": "rare.shop", "traffic": [{"calls": 1, "from": -7}]}

    suggestion = await suggest(tmp_path, build_scenario(rare), {}, service="rare.shop", thresholds=True)

    assert "success-rate" not in suggestion.template
    assert "success-rate is left out: 6 calls are too few for a limit. Set a longer --since" in suggestion.advice


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"service": "reviews.shpo"}, "OAP does not know 'reviews.shpo'. Did you mean reviews.shop?"),
        ({"layer": "GENERAL"}, "OAP knows 'reviews.shop' in MESH, not in layer GENERAL"),
    ],
)
async def test_unknown_service_is_an_error_with_the_closest_names(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(EntityNotFoundError) as raised:
        await suggest(tmp_path, build_scenario(), {}, **options)

    assert problem in str(raised.value)
    assert isinstance(raised.value, ProviderError)
