"""The phases of the bench. Each repeats its sides in turn, so that a slow minute of the machine is everybody's."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import parts
from bench.machine import ROOT, SHIPPED_PYTHON, Cores, cpu_seconds, reset_peak, resident_mib

Row = dict[str, Any]
Say = Callable[[str], None]

SERVICES = 1000  # that the OAP knows
SHARED_SERVICES = 50
METRICS = 5
AS_ARGO = {"workers": 30, "metrics": METRICS}  # --analysis-threads, and an analysis of five metrics
_SHARED = {"shared": True, "services": SHARED_SERVICES}
BURST = {**AS_ARGO, "runs": 1000, "first": True} | _SHARED
_BURST_SECONDS = 14


@dataclass(slots=True)
class Bench:
    """What all phases need.

    Attributes:
        cores: Who runs where.
        oap: The OAP.
        repetitions: Of every phase.
        seconds: Of every load that is bounded by time.
        say: Progress.
        asked: How many new questions were asked so far.
    """

    cores: Cores
    oap: parts.Oap
    repetitions: int
    seconds: float
    say: Say
    asked: int = 0

    def repeated(self, what: str, times: int | None = None) -> Iterator[int]:
        """The numbers of the repetitions, told."""
        times = times or self.repetitions
        for number in range(times):
            self.say(f"{what}, {number + 1} of {times}")
            yield number

    def bear_new(self, caller: parts.Caller, load: parts.Load) -> Row:
        """Put a load of questions on a side that nobody has asked before."""
        borne = caller.bear(load | {"services": SERVICES, "offset": self.asked})
        self.asked += -(-borne["took"]["count"] // METRICS) * METRICS
        return borne

    @contextmanager
    def service(self, **backend: Any) -> Iterator[parts.Service]:
        """Our service, newly started."""
        with (
            TemporaryDirectory(prefix="bench-") as folder,
            parts.service(self.cores, Path(folder), self.oap.url, **backend) as service,
        ):
            yield service

    @contextmanager
    def callers(self, service: parts.Service, *sides: str) -> Iterator[dict[str, parts.Caller]]:
        """A caller of each side."""
        with ExitStack() as stack:
            yield {
                side: stack.enter_context(
                    parts.caller(self.cores, side, url=self.oap.url, socket=service.socket),
                )
                for side in sides
            }


def latency(bench: Bench) -> list[Row]:
    """(a) Time of a measurement at so many in flight; every question is new."""
    rows = []
    bench.oap.settle()
    with bench.service() as service, bench.callers(service, "bare", "built-in", "echo", "ours") as callers:
        _warm(bench, callers)
        for repetition in bench.repeated("latency"):
            for in_flight, seconds in ((1, 2 * bench.seconds), (30, bench.seconds), (200, bench.seconds)):
                for side, caller in callers.items():
                    bench.oap.settle()
                    borne = bench.bear_new(caller, {"workers": in_flight, "metrics": 1, "seconds": seconds})
                    row = {"side": side, "inFlight": in_flight, "repetition": repetition}
                    rows.append(row | borne | {"oap": bench.oap.counted()})
    return rows


def rates(bench: Bench) -> list[Row]:
    """(b, c) Measurements a second on one core, new questions and shared ones; the OAP answers at once."""
    rows = []
    for repetition in bench.repeated("rates"):
        for kind in ("uncached", "shared"):
            with bench.service() as service, bench.callers(service, "service", "ours", "built-in", "echo") as callers:
                bench.oap.settle(delay_ms=0, workers=0)
                _warm(bench, callers)
                callers["service"].bear({**AS_ARGO, "runs": SHARED_SERVICES} | _SHARED)
                for side, caller in callers.items():
                    if side in ("built-in", "echo") and kind == "shared":
                        continue  # they share nothing
                    bench.oap.settle(delay_ms=0, workers=0)
                    load = {**AS_ARGO, "seconds": bench.seconds}
                    before = cpu_seconds(service.pid)
                    borne = caller.bear(load | _SHARED) if kind == "shared" else bench.bear_new(caller, load)
                    used = cpu_seconds(service.pid) - before
                    row = {"side": side, "questions": kind, "repetition": repetition, "serviceCpuSeconds": used}
                    rows.append(row | borne | {"oap": bench.oap.counted()})
    return rows


def burst(bench: Bench) -> list[Row]:
    """(c, d) A thousand runs at once on fifty services: our service is new to all of it each time."""
    rows = []
    for repetition in bench.repeated("burst"):
        for side in ("built-in", "ours", "echo"):
            with bench.service() as service, bench.callers(service, side) as callers:
                bench.oap.settle(services=SHARED_SERVICES)
                # The plugin's process is there before Argo measures anything; what it asks then is not the burst's.
                callers[side].bear({"workers": 1, "metrics": 0, "runs": 1, "services": 1})
                _wait_for_a_clear_minute(_BURST_SECONDS)
                before = cpu_seconds(service.pid)
                borne = callers[side].bear(BURST)
                row = {"side": side, "repetition": repetition, "serviceCpuSeconds": cpu_seconds(service.pid) - before}
                rows.append(row | borne | {"oap": bench.oap.counted()})
    return rows


def memory(bench: Bench) -> list[Row]:
    """(e) Resident memory: at rest, after a load, and with a thousand in flight on an OAP of five seconds."""
    rows = []
    as_shipped: dict[str, Any] = {}
    all_at_once = {"maxRequests": 1000, "timeout": "12s"}
    for name, backend in (("as shipped", as_shipped), ("maxRequests 1000, timeout 12s", all_at_once)):
        for loaded in (False, True):
            bench.say(f"memory, {name}{', after a load' if loaded else ''}")
            bench.oap.settle(delay_ms=0, workers=0)
            with bench.service(**backend) as service, bench.callers(service, "ours") as callers:
                few = {"workers": 1, "metrics": METRICS, "runs": 1}  # it knows clock, schema and catalogue of its OAP
                bench.bear_new(callers["ours"], {**AS_ARGO, "seconds": bench.seconds} if loaded else few)
                row: Row = {"backend": name, "loaded": loaded, "beforeMiB": resident_mib(service.pid)}
                bench.oap.settle(delay_ms=5000, workers=0)
                reset_peak(service.pid)
                borne = bench.bear_new(callers["ours"], {"workers": 1000, "metrics": 1, "runs": 1000})
                row["floodPeakMiB"] = resident_mib(service.pid, peak=True)
                rows.append(row | {"flood": borne, "oap": bench.oap.counted()})
    return rows


def start(bench: Bench) -> list[Row]:
    """(f) From the start of the process until it says SERVING."""
    rows = []
    for repetition in bench.repeated("start", 2 * bench.repetitions):
        with bench.service() as service:
            rows.append(
                {"repetition": repetition, "seconds": service.ready_seconds, "cpuSeconds": cpu_seconds(service.pid)}
            )
    return rows


def conditions(bench: Bench) -> Row:
    """What one condition on five values costs, in a process of its own on the service's core."""
    bench.say("conditions")
    command = ["taskset", "-c", bench.cores.service, str(SHIPPED_PYTHON), "-m", "bench.conditions"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    row: Row = json.loads(answer.stdout)
    return row


def _warm(bench: Bench, callers: dict[str, parts.Caller]) -> None:
    """Connections, caches of conditions and blocks: what a process pays once."""
    for caller in callers.values():
        bench.bear_new(caller, {**AS_ARGO, "seconds": 0.5})


def _wait_for_a_clear_minute(seconds: float) -> None:
    """Begin where no minute ends within so many seconds: at its end all questions change."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.5)
