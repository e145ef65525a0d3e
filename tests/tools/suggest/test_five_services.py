"""Tests of suggestions for five services of different traffic: `lint` finds nothing, and `check` has a verdict.

The expected outputs are files of `data`. To write them anew after a change, set `WRITE_EXPECTED=1` and read the diff.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import pytest

from skywalking_provider.model import Phase
from skywalking_provider.tools.check.runner import CheckResult
from skywalking_provider.tools.lint.linter import LintReport
from skywalking_provider.tools.suggest.model import NoTrafficError
from skywalking_provider.tools.suggest.runner import Suggestion
from tests.tools.lint.harness import lint_text
from tests.tools.suggest.harness import DATA, Stage, build_five_services, open_stage

pytestmark = [
    pytest.mark.allow_slow_callbacks("a suggestion computes for seconds, and serves no one meanwhile"),
    pytest.mark.timeout(600),
]

JUDGED: Final = {
    "idle.shop": [Phase.RUNNING, Phase.RUNNING],
    "thin.shop": [Phase.RUNNING, Phase.SUCCESSFUL],
    "busy.shop": [Phase.SUCCESSFUL, Phase.SUCCESSFUL],
    "checkout": [Phase.SUCCESSFUL, Phase.SUCCESSFUL],
    "legacy": [Phase.SUCCESSFUL, Phase.SUCCESSFUL],
}
"""Phases of each service's success rate and latency in `check`, which sees 30 minutes and does not wait for more.

The suggestion for `thin.shop` has the same: the success rate needs 41 minutes.
"""
THRESHOLDS: Final = ("busy.shop", "checkout")


@dataclass(frozen=True)
class Tried:
    """A suggestion with what `lint` and `check` find."""

    suggestion: Suggestion
    report: LintReport
    results: list[CheckResult]

    @property
    def phases(self) -> list[Phase]:
        return [one.measurement.phase for one in self.results]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tried]:
    async def run() -> dict[str, Tried]:
        async with AsyncExitStack() as stack:
            stage = await open_stage(stack, tmp_path_factory.mktemp("cache"), build_five_services())
            cases = [(one, False) for one in JUDGED] + [(one, True) for one in THRESHOLDS]
            return {
                f"{service}{' thresholds' if thresholds else ''}": await try_suggestion(stage, service, thresholds)
                for service, thresholds in cases
            }

    return asyncio.run(run())


async def try_suggestion(stage: Stage, service: str, thresholds: bool) -> Tried:
    suggestion = await stage.suggest(service, thresholds=thresholds)
    return Tried(suggestion, await lint_text(suggestion.template), await stage.check(suggestion))


@pytest.mark.parametrize("name", [*JUDGED, *(f"{one} thresholds" for one in THRESHOLDS)])
def test_suggestion_has_no_findings_of_lint(tried: Mapping[str, Tried], name: str) -> None:
    assert tried[name].report.findings == []


@pytest.mark.parametrize(("name", "phases"), JUDGED.items())
def test_suggestion_is_measured_with_a_verdict(tried: Mapping[str, Tried], name: str, phases: list[Phase]) -> None:
    assert tried[name].phases == phases


@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds_hold_for_a_canary_in_order(tried: Mapping[str, Tried], name: str) -> None:
    assert tried[f"{name} thresholds"].phases == [Phase.SUCCESSFUL, Phase.SUCCESSFUL]


@pytest.mark.parametrize("name", [*JUDGED, *(f"{one} thresholds" for one in THRESHOLDS)])
def test_suggestion_is_as_expected(tried: Mapping[str, Tried], name: str) -> None:
    suggestion = tried[name].suggestion
    text = suggestion.template + "".join(f"#> {line}\n" for line in suggestion.advice)
    file = DATA / f"{name.replace(' ', '-')}.yaml"
    if os.environ.get("WRITE_EXPECTED"):
        file.write_text(text)

    assert text == file.read_text()


async def test_service_without_calls_is_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path_factory.mktemp("cache"), build_five_services())
        with pytest.raises(NoTrafficError, match=r"'unused\.shop' has no calls in the last 4 h") as raised:
            await stage.suggest("unused.shop")

    assert "lists the service and 1 instance of it" in str(raised.value)
    assert str(raised.value).endswith("Send calls to it, or set a longer --since")
