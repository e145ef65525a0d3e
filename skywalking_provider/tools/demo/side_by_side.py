"""Run of a threshold and a judged block on the same minutes of one canary, until the judged one has its finding."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario
from skywalking_provider.model import Phase
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host
from skywalking_provider.tools.demo.runner import Programs, run_service

CANARY_CALLS: Final = 30
STABLE_CALLS: Final = 270
MINUTES: Final = 15
"""Looks at most: the default of maxWait."""
HEALTHY: Final = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
"""Failed calls of the canary by minute: 2 of 450, as often as stable."""
BAD: Final = (3, 2, 4, 3, 3, 2, 3, 4, 3, 3, 2, 3, 4, 3, 3)
"""One of ten calls."""
_ARGUMENTS: Final = {"canary-hash": "6c85f7bf4", "stable-hash": "7d4f9c8b65"}
_FRAME_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Verdict:
    """One measurement of one form.

    Attributes:
        phase: Phase of the measurement.
        message: Message, as Argo stores it.
        result: Result of the block; None without one.
    """

    phase: Phase
    message: str
    result: Any


@dataclass(frozen=True, slots=True)
class Look:
    """Both measurements at one minute.

    Attributes:
        minute: Number of the last closed minute of the run.
        failures: Failed calls of the canary in it.
        threshold: Verdict of the threshold; None once its rollout is aborted.
        judged: Verdict of the judged block.
    """

    minute: int
    failures: int
    threshold: Verdict | None
    judged: Verdict


@dataclass(slots=True)
class Comparison:
    """State of the run. The view reads it."""

    title: str
    looks: list[Look] = field(default_factory=list)

    @property
    def judged(self) -> Phase:
        """Last phase of the judged block."""
        return self.looks[-1].judged.phase if self.looks else Phase.PENDING

    @property
    def threshold_aborted(self) -> Look | None:
        """First look at which the threshold is Failed; None without one."""
        return next((one for one in self.looks if one.threshold and one.threshold.phase is Phase.FAILED), None)


async def run_side_by_side(
    title: str,
    failures: tuple[int, ...],
    programs: Programs,
    folder: Path,
    on_change: Callable[[Comparison], None],
) -> Comparison:
    """Look at a canary at each minute with both forms.

    Args:
        title: Title for the view.
        failures: Failed calls of the canary by minute.
        programs: Binaries to run.
        folder: Empty folder for socket, configuration and logs.
        on_change: Function to call after each look.

    Raises:
        HostError: One of the processes failed.
    """
    threshold, judged = load_metrics()
    start = datetime.now(UTC).replace(second=0, microsecond=0)
    clock = ManualClock(start)
    comparison = Comparison(title)
    async with (
        MockOap(scenario=build_scenario(failures), clock=clock) as oap,
        run_service(folder, oap.url) as socket,
        run_argo_host(programs.argo_host, programs.bridge, folder / "host.log", f"--socket={socket}") as host,
    ):
        clock.advance(90)  # the first minute is closed one minute after its end
        for minute in range(1, MINUTES + 1):
            clock.advance(60)
            since = clock() - start
            aborted = comparison.threshold_aborted is not None
            look = Look(
                minute,
                failures[minute - 1],
                None if aborted else await _measure(host, threshold, since),
                await _measure(host, judged, since),
            )
            comparison.looks.append(look)
            on_change(comparison)
            if look.judged.phase.completed:
                break
            await asyncio.sleep(_FRAME_SECONDS)
    return comparison


def build_scenario(failures: tuple[int, ...]) -> Scenario:
    """Build the traffic of thin canary and stable pods, which fail in the given minutes."""
    canary = [
        {"from": at, "until": at + 1, "calls": CANARY_CALLS, "failures": failed} for at, failed in enumerate(failures)
    ]
    stable = [
        {"from": at, "until": at + 1, "calls": STABLE_CALLS, "failures": 1 + at % 2} for at in range(len(failures))
    ]
    pods = {"canary-hash": canary, "stable-hash": stable}
    instances = [{"name": f"reviews-{_ARGUMENTS[name]}-9zr8t", "traffic": traffic} for name, traffic in pods.items()]
    return Scenario.model_validate({"services": [{"name": "reviews.bookinfo", "instances": instances}]})


async def _measure(host: ArgoHost, metric: dict[str, Any], since: timedelta) -> Verdict:
    # The clock of the mock runs fast, the service's does not: the run is as old as the mock has counted.
    started_at = f"{datetime.now(UTC) - since:%Y-%m-%dT%H:%M:%SZ}"
    run = {
        "metadata": {"namespace": "bookinfo", "name": "reviews-side-by-side", "creationTimestamp": started_at},
        "spec": {"args": [{"name": name, "value": value} for name, value in _ARGUMENTS.items()]},
        "status": {"phase": "Running", "startedAt": started_at},
    }
    measurement = (await host.request("run", run=run, metric=metric))["measurement"]
    value = measurement.get("value")
    return Verdict(Phase(measurement["phase"]), measurement.get("message", ""), json.loads(value) if value else None)


def load_metrics() -> list[dict[str, Any]]:
    """Return the metrics of the template: the threshold, and the judged one."""
    text = (resources.files(__package__) / "judged.yaml").read_text(encoding="utf-8")
    for name, value in _ARGUMENTS.items():
        text = text.replace(f"{{{{ args.{name} }}}}", value)
    metrics: list[dict[str, Any]] = yaml.safe_load(text)["spec"]["metrics"]
    return metrics
