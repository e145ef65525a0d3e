"""Backtests in this process against a mock OAP whose clock stands still, and histories for them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.mock_oap.scenario import Scenario, parse_scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.tools.backtest.live_reads import ReadProgress
from skywalking_provider.tools.backtest.model import Backtest, BacktestOptions, ReplayProgress
from skywalking_provider.tools.backtest.runner import TemplateBacktest
from skywalking_provider.tools.check.template import Template, parse_templates

NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
SERVICE = "reviews.bookinfo"
OLD, BAD, GOOD = "7d4f9c8b65", "6c85f7bf4", "58b69fdc9c"
BACKEND = "prod"


def build_metric(name: str = "success-rate", **content: Any) -> dict[str, Any]:
    """Build a metric; keys of Argo's metric are passed as `argo`."""
    argo = content.pop("argo", {"interval": "1m"})
    block = {"service": SERVICE} | content
    return {"name": name, **argo, "provider": {"plugin": {"skywalking/metrics": block}}}


def build_comparison(name: str = "success-rate", **content: Any) -> dict[str, Any]:
    """Build a metric that compares canary and stable by the hashes of the template's arguments."""
    sides = {
        "instances": {"podTemplateHash": "{{args.canary-hash}}"},
        "compare": {"instances": {"podTemplateHash": "{{args.stable-hash}}"}},
    }
    return build_metric(name, **({"sli": "success-rate"} | sides | content))


def build_template(*metrics: Mapping[str, Any], args: tuple[str, ...] = (), **spec: Any) -> Template:
    """Build a template of metrics."""
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "reviews"},
        "spec": {"args": [{"name": name} for name in args], "metrics": list(metrics)} | spec,
    }
    (template,) = parse_templates(yaml.safe_dump(document), "reviews.yaml")
    return template


HASHES = ("canary-hash", "stable-hash")


def build_history(*, begin: int = -480) -> Scenario:
    """Build a history with a gap, a deploy that was bad, one that was good, and an incident of the whole service.

    Minutes count from the start of the mock's clock.
    """
    latencies = [30, 35, 40, 45, 50, 55, 60, 70, 90, 150]

    def pod(name: str, *traffic: Mapping[str, Any], first: int, until: int | None) -> dict[str, Any]:
        phases = [{"latencies": latencies, **one} for one in traffic]
        return {"name": name, "attributes": {"pod": name}, "from": first, "until": until, "traffic": phases}

    stable = (
        {"from": begin, "until": -200, "calls": 54, "failures": 1},
        {"from": -180, "until": -120, "calls": 54, "failures": 1},
        {"from": -120, "until": -110, "calls": 54, "failures": 11},
        {"from": -110, "until": -60, "calls": 54, "failures": 1},
    )
    document = {
        "services": [
            {
                "name": SERVICE,
                "layer": "MESH",
                "instances": [
                    pod(f"reviews-{OLD}-2xkqz", *stable, first=begin, until=-60),
                    pod(f"reviews-{OLD}-h6pnw", *stable, first=begin, until=-60),
                    pod(
                        f"reviews-{BAD}-9zr8t",
                        {"from": -300, "until": -260, "calls": 40, "failures": 5},
                        first=-300,
                        until=-260,
                    ),
                    pod(
                        f"reviews-{GOOD}-pk4tz",
                        {"from": -100, "until": -60, "calls": 40, "failures": 1},
                        {"from": -60, "calls": 108, "failures": 2},
                        first=-100,
                        until=None,
                    ),
                ],
            }
        ]
    }
    return parse_scenario(yaml.safe_dump(document), "history")


@dataclass
class Stage:
    """Mock OAP with its clock, for backtests and for the service's engine."""

    oap: MockOap
    clock: ManualClock
    configs: dict[str, BackendConfig]
    stack: AsyncExitStack

    async def backtest(self, template: Template, **options: Any) -> Backtest:
        """Replay a template. The options are those of `BacktestOptions`; `since` is eight hours by default."""
        async with AsyncExitStack() as stack:
            evaluator = await stack.enter_async_context(open_condition_evaluator())
            backends = await stack.enter_async_context(open_backends(self.configs, self.clock))
            chosen = BacktestOptions(**{"since": timedelta(hours=8), **options})
            progress = ReplayProgress(ReadProgress())
            return await TemplateBacktest(
                template, backends, self.configs, evaluator, chosen, progress, self.clock
            ).run()

    async def measure(self, metric: Metric, run: Run, measurement: Measurement | None, at: datetime) -> Measurement:
        """Measure with the service's engine and the mock's clock at an instant."""
        before = self.clock()
        self.clock.set(at)
        try:
            async with AsyncExitStack() as stack:
                evaluator = await stack.enter_async_context(open_condition_evaluator())
                backends = await stack.enter_async_context(open_backends(self.configs, self.clock))
                engine = Engine(backends, evaluator, self.clock, cause_limits=CauseLimits(0))
                if measurement is None:
                    return await engine.run(metric, run, Deadline.after(60))
                return await engine.resume(metric, run, measurement, Deadline.after(60))
        finally:
            self.clock.set(before)

    @property
    def data_requests(self) -> list[str]:
        """Bodies of the requests that read buckets or lists of instances."""
        return [one.body for one in self.oap.requests if "duration" in one.body or "Duration" in one.body]


async def open_stage(stack: AsyncExitStack, scenario: Scenario | str | None = None, **oap: Any) -> Stage:
    """Start a mock OAP at noon."""
    clock = ManualClock(NOON)
    mock = await stack.enter_async_context(MockOap(scenario or build_history(), clock=clock, **oap))
    config = BackendConfig.model_validate({"url": mock.url.removesuffix("/graphql"), "retries": 0, "timeout": "100s"})
    return Stage(mock, clock, {BACKEND: config}, stack)


def list_cache_files(folder: Path) -> list[Path]:
    """Return the files of a cache."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
