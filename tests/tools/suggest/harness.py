"""Suggestions in this process for the services of a mock OAP whose clock stands still, judged by `lint` and `check`."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.analysis.evaluation import ConditionEvaluator, open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.oap import open_backends
from skywalking_provider.tools.backtest.live_reads import ReadProgress
from skywalking_provider.tools.backtest.model import ReplayProgress
from skywalking_provider.tools.check.recording import open_recording_backends
from skywalking_provider.tools.check.runner import CheckResult, measure
from skywalking_provider.tools.check.selection import select_metrics
from skywalking_provider.tools.check.template import parse_templates
from skywalking_provider.tools.suggest.model import SuggestOptions
from skywalking_provider.tools.suggest.runner import Manifest, Suggestion, suggest_template

DATA = Path(__file__).parent / "data"
NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
CANARY, STABLE = "6c85f7bf4", "7d4f9c8b65"
PLUGIN = "skywalking/metrics"
SUFFIXES = ("2xkqz", "h6pnw", "pk4tz", "rt5mj")
LATENCIES = [30, 35, 40, 45, 50, 55, 60, 70, 90, 150]
BEGIN = -240
"""Minute in which the services of the scenario begin."""


def build_service(
    name: str, *, pods: int, calls: int, canary_calls: int, failures: int = 0, hostnames: bool = False, **content: Any
) -> dict[str, Any]:
    """Build a service with pods of stable, and a canary since 40 minutes.

    Args:
        name: Name of the service.
        pods: Pods of stable.
        calls: Calls of each of them in a minute.
        canary_calls: Calls of the canary in a minute; 0 for no canary.
        failures: Failed calls of each pod of stable in a minute.
        hostnames: Whether agents name the instances, and report the name of the pod as an attribute.
        content: Further keys of the service.
    """
    app = name.partition(".")[0]
    rows = [(f"{app}-{STABLE}-{SUFFIXES[at]}", calls, failures, BEGIN) for at in range(pods)]
    rows += [(f"{app}-{CANARY}-9zr8t", canary_calls, 0, -40)] if canary_calls else []
    instances = [
        {
            "name": f"f{at}a0@10.0.0.{at}" if hostnames else pod,
            "attributes": {"hostname" if hostnames else "pod": pod},
            "from": begin,
            "traffic": [{"from": begin, "calls": rate, "failures": failed, "latencies": LATENCIES}],
        }
        for at, (pod, rate, failed, begin) in enumerate(rows)
    ]
    return {"name": name, "instances": instances} | content


def build_five_services() -> Scenario:
    """Build services of different traffic: hardly any, thin, dense in a mesh and with agents, and without pods."""
    idle = build_service("idle.shop", pods=1, calls=1, canary_calls=0)
    idle["instances"][0]["traffic"][0] |= {"from": -70, "until": -40}
    services = [
        idle,
        build_service("thin.shop", pods=2, calls=54, canary_calls=12),
        build_service("busy.shop", pods=4, calls=90, canary_calls=40, failures=1),
        build_service("checkout", pods=2, calls=180, canary_calls=40, failures=1, hostnames=True, layer="GENERAL"),
        {
            "name": "legacy",
            "layer": "GENERAL",
            "instances": [{"name": "legacy-1", "traffic": [{"from": BEGIN, "calls": 50, "failures": 1}]}],
        },
        {"name": "unused.shop", "instances": [{"name": "unused-7d4f9c8b65-2xkqz"}]},
    ]
    return parse_scenario(yaml.safe_dump({"services": services}), "five services")


@dataclass
class Stage:
    """Mock OAP with its clock, and the evaluator of conditions."""

    oap: MockOap
    clock: ManualClock
    configs: dict[str, BackendConfig]
    evaluator: ConditionEvaluator
    cache: Path

    async def suggest(self, service: str, manifest: Manifest | None = None, **options: Any) -> Suggestion:
        """Suggest a template. The options are those of `SuggestOptions`; `since` is four hours by default."""
        defaults: dict[str, Any] = {"since": timedelta(hours=4), "cache": self.cache, "rollout": manifest is not None}
        chosen = SuggestOptions(service, **(defaults | options))
        async with open_backends(self.configs, self.clock) as backends:
            return await suggest_template(
                chosen, manifest, backends, self.configs, self.evaluator, ReplayProgress(ReadProgress()), self.clock
            )

    async def check(self, suggestion: Suggestion) -> list[CheckResult]:
        """Measure a suggested template once, as `check` does."""
        values = dict(zip(suggestion.arguments, (CANARY, STABLE), strict=False))
        targets, _ = select_metrics(parse_templates(suggestion.template, "t.yaml"), values, (), PLUGIN)
        async with open_recording_backends(self.configs, self.clock, any_name=False) as recording:
            return [await measure(target, recording, self.evaluator, self.clock) for target in targets]


async def open_stage(stack: AsyncExitStack, cache: Path, scenario: Scenario, **oap: Any) -> Stage:
    """Start a mock OAP at noon."""
    clock = ManualClock(NOON)
    mock = await stack.enter_async_context(MockOap(scenario, clock=clock, **oap))
    config = BackendConfig.model_validate({"url": mock.url.removesuffix("/graphql"), "retries": 0, "timeout": "100s"})
    evaluator = await stack.enter_async_context(open_condition_evaluator())
    return Stage(mock, clock, {"prod": config}, evaluator, cache)
