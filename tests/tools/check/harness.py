"""Runs `check` as a subprocess against a mock OAP in the test, and builds templates for it."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.mock_oap import ManualClock, MockOap

DATA = Path(__file__).parent / "data"
NOON = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
CANARY = "canary|reviews|bookinfo|cluster-1|-"
VANILLA = "reviews.bookinfo"
PLUGIN = "skywalking/metrics"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class CommandResult:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json_objects(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = json.loads(self.stdout)
        return read

    @property
    def normalized_stdout(self) -> str:
        """Output without ports, durations, times and the skew of the standing clock, which differ in each run."""
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", self.stdout)
        text = re.sub(r"\d+ ms\b", "N ms", text)
        text = re.sub(r" · the OAP's clock is \w+ behind the provider's", "", text)
        text = re.sub(r"\n +note +the clock of backend \w+ is \w+ behind the provider's\..*", "", text)
        text = re.sub(r"\b\d{4}-\d\d-\d\d (\d\d:\d\d–)", r"\1", text)
        return re.sub(r"\d\d:\d\d:\d\d \+0000", "HH:MM:SS +0000", text)


async def run_check(*arguments: str, stdin: str = "", folder: Path | None = None, **environment: str) -> CommandResult:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "skywalking_provider", "check", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("SWP_", "SW_"))} | environment,
    )
    async with asyncio.timeout(TIMEOUT_SECONDS):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def start_oap_at_noon(scenario: str = "failing-canary", **oap: Any) -> AsyncIterator[MockOap]:
    """Start a mock OAP whose clock stands still at noon."""
    async with MockOap(scenario, clock=ManualClock(NOON), **oap) as mock:
        yield mock


def build_indicator_metric(condition: str = "result >= 0.99", **block: Any) -> dict[str, Any]:
    """Build a metric of the plugin."""
    name = block.pop("name", "success-rate")
    content = {"sli": "success-rate", "window": "5m", "service": VANILLA} | block
    return {"name": name, "successCondition": condition, "provider": {"plugin": {PLUGIN: content}}}


def build_judged_metric(**block: Any) -> dict[str, Any]:
    """Build a metric that compares the canary with stable."""
    content = {
        "sli": "success-rate",
        "service": VANILLA,
        "instances": {"podTemplateHash": "6c85f7bf4"},
        "compare": {"instances": {"podTemplateHash": "7d4f9c8b65"}},
    }
    return {"name": "success-rate", "provider": {"plugin": {PLUGIN: content | block}}}


def build_template(*metrics: Mapping[str, Any], **spec: Any) -> str:
    """Build a template of metrics."""
    return yaml.safe_dump(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": {"name": "reviews"},
            "spec": {"metrics": [dict(metric) for metric in metrics]} | spec,
        },
        sort_keys=False,
        allow_unicode=True,
    )
