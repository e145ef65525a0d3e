"""Run of one canary: the clock of the mock OAP runs fast, all other parts are real."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.tools.demo.argo_host import ArgoHost, HostError, run_argo_host

SERVICE = "canary|reviews|bookinfo|cluster-1|-"
WEIGHTS = (10, 20, 40, 60, 80)
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class CanaryMeasurement:
    """A measurement as Argo stores it, and the buckets of its value."""

    at: datetime
    phase: str
    buckets: tuple[int, ...]
    message: str
    elapsed_ms: float


@dataclass(slots=True)
class Canary:
    """State of a canary while it runs. The view reads it."""

    title: str
    now: datetime
    weight: int = WEIGHTS[0]
    next_in: float = 0.0
    measurements: list[CanaryMeasurement] = field(default_factory=list)
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Programs:
    """Binaries that `make build` builds."""

    bridge: Path
    argo_host: Path


async def run_canary(
    title: str, scenario: str, programs: Programs, folder: Path, on_change: Callable[[Canary], None]
) -> Canary:
    """Run one canary to its end.

    Args:
        title: Title for the view.
        scenario: Scenario of the mock OAP.
        programs: Binaries to run.
        folder: Empty folder for socket, configuration and logs.
        on_change: Function to call with the canary after each change.

    Returns:
        The canary with its outcome.

    Raises:
        HostError: One of the processes failed.
    """
    metric = _template_metric()
    pace, failures_allowed = timedelta(minutes=5), metric["failureLimit"]
    clock = ManualClock(datetime.now(UTC).replace(second=20, microsecond=0))
    canary = Canary(title, clock())
    async with (
        MockOap(scenario=scenario, clock=clock) as oap,
        run_service(folder, oap.url) as socket,
        run_argo_host(programs.argo_host, programs.bridge, folder / "host.log", f"--socket={socket}") as host,
    ):
        for weight in WEIGHTS:
            canary.weight = weight
            await _pass_time(canary, clock, pace, on_change)
            canary.measurements.append(await _measure(host, metric, clock()))
            on_change(canary)
            failed = sum(one.phase == "Failed" for one in canary.measurements)
            if failed > failures_allowed:
                canary.weight = 0
                canary.outcome = f"aborted: failed ({failed}) > failureLimit ({failures_allowed}); back to stable"
                break
        else:
            canary.outcome = _outcome(canary)
    on_change(canary)
    return canary


def _outcome(canary: Canary) -> str:
    phases = [one.phase for one in canary.measurements]
    if all(phase == "Successful" for phase in phases):
        canary.weight = 100
        return f"promoted: {len(phases)} of {len(phases)} measurements Successful"
    return f"undecided: {', '.join(phases)}"


async def _pass_time(canary: Canary, clock: ManualClock, pace: timedelta, on_change: Callable[[Canary], None]) -> None:
    """Advance the clock of the mock by five minutes in about a second."""
    steps = 15
    for step in range(steps):
        clock.advance(pace.total_seconds() / steps)
        canary.now, canary.next_in = clock(), (steps - step - 1) / steps
        on_change(canary)
        await asyncio.sleep(0.07)


async def _measure(host: ArgoHost, metric: dict[str, Any], at: datetime) -> CanaryMeasurement:
    run = {
        "metadata": {"namespace": "bookinfo", "name": "reviews-apdex", "labels": {"rollout-type": "Background"}},
        "spec": {"args": [{"name": "service-name", "value": SERVICE}]},
    }
    response = await host.request("run", run=run, metric=metric)
    measurement = response["measurement"]
    return CanaryMeasurement(
        at,
        measurement["phase"],
        _buckets(measurement.get("value")),
        measurement.get("message", ""),
        response["elapsedMs"],
    )


def _buckets(value: str | None) -> tuple[int, ...]:
    if not value:
        return ()
    return tuple(bucket["value"] for bucket in json.loads(value)["service_apdex"]["values"]["values"])


def _template_metric() -> dict[str, Any]:
    text = (resources.files(__package__) / "template.yaml").read_text(encoding="utf-8")
    metric: dict[str, Any] = yaml.safe_load(text)["spec"]["metrics"][0]
    return metric


def success_condition() -> str:
    """Return the successCondition of the template."""
    return str(_template_metric()["successCondition"])


@asynccontextmanager
async def run_service(folder: Path, oap_url: str) -> AsyncIterator[Path]:
    socket = folder / "provider.sock"
    config = folder / "config.yaml"
    backend = {"url": oap_url, "aliases": ["http://oap.istio-system:12800"], "clockTtl": "0s"}
    config.write_text(yaml.safe_dump({"socket": str(socket), "backends": {"mock": backend}}))
    with (folder / "service.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skywalking_provider", "serve", "--config", str(config), "--log-format=json"),
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stderr=log,
        )
    try:
        await _wait_until_ready(process, socket, folder / "service.log")
        yield socket
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _wait_until_ready(process: asyncio.subprocess.Process, socket: Path, log: Path) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not (socket.exists() and '"ready"' in log.read_text()):
                if process.returncode is not None:
                    raise HostError(f"the service did not start:\n{log.read_text()}")
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise HostError(f"the service was not ready after {_START_SECONDS} s:\n{log.read_text()}") from error
