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

from bench import processes
from bench.cpu_affinity import ROOT, SHIPPED_PYTHON, Cores, cpu_seconds, reset_peak, resident_mib

Row = dict[str, Any]
ProgressReporter = Callable[[str], None]

SERVICES = 1000  # that the OAP knows
SHARED_SERVICES = 50
METRICS = 5
ARGO_LOAD = {"workers": 30, "metrics": METRICS}  # --analysis-threads, and an analysis of five metrics
_SHARED_LOAD = {"shared": True, "services": SHARED_SERVICES}
BURST_LOAD = {**ARGO_LOAD, "runs": 1000, "first": True} | _SHARED_LOAD
_BURST_SECONDS = 14


@dataclass(slots=True)
class Bench:
    """What all phases need.

    Attributes:
        cores: Who runs where.
        oap: The OAP.
        repetitions: Of every phase.
        seconds: Of every load that is bounded by time.
        report_progress: Progress.
        requested: How many new questions were asked so far.
    """

    cores: Cores
    oap: processes.StaticOap
    repetitions: int
    seconds: float
    report_progress: ProgressReporter
    requested: int = 0

    def repeat(self, label: str, times: int | None = None) -> Iterator[int]:
        """The numbers of the repetitions, told."""
        times = times or self.repetitions
        for number in range(times):
            self.report_progress(f"{label}, {number + 1} of {times}")
            yield number

    def run_uncached_load(self, caller: processes.Caller, load: processes.LoadSettings) -> Row:
        """Put a load of questions on a side that nobody has asked before."""
        borne = caller.run_load(load | {"services": SERVICES, "offset": self.requested})
        self.requested += -(-borne["took"]["count"] // METRICS) * METRICS
        return borne

    @contextmanager
    def start_service(self, **backend: Any) -> Iterator[processes.ServiceProcess]:
        """Our service, newly started."""
        with (
            TemporaryDirectory(prefix="bench-") as folder,
            processes.start_service(self.cores, Path(folder), self.oap.url, **backend) as service,
        ):
            yield service

    @contextmanager
    def start_callers(self, service: processes.ServiceProcess, *sides: str) -> Iterator[dict[str, processes.Caller]]:
        """A caller of each side."""
        with ExitStack() as stack:
            yield {
                side: stack.enter_context(
                    processes.start_caller(self.cores, side, url=self.oap.url, socket=service.socket),
                )
                for side in sides
            }


def measure_latency(bench: Bench) -> list[Row]:
    """(a) Time of a measurement at so many in flight; every question is new."""
    rows = []
    bench.oap.configure()
    with bench.start_service() as service, bench.start_callers(service, "bare", "built-in", "echo", "ours") as callers:
        _warm_up(bench, callers)
        for repetition in bench.repeat("latency"):
            for in_flight, seconds in ((1, 2 * bench.seconds), (30, bench.seconds), (200, bench.seconds)):
                for side, caller in callers.items():
                    bench.oap.configure()
                    borne = bench.run_uncached_load(caller, {"workers": in_flight, "metrics": 1, "seconds": seconds})
                    row = {"side": side, "inFlight": in_flight, "repetition": repetition}
                    rows.append(row | borne | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_rates(bench: Bench) -> list[Row]:
    """(b, c) Measurements a second on one core, new questions and shared ones; the OAP answers at once."""
    rows = []
    for repetition in bench.repeat("rates"):
        for kind in ("uncached", "shared"):
            with (
                bench.start_service() as service,
                bench.start_callers(service, "service", "ours", "built-in", "echo") as callers,
            ):
                bench.oap.configure(delay_ms=0, workers=0)
                _warm_up(bench, callers)
                callers["service"].run_load({**ARGO_LOAD, "runs": SHARED_SERVICES} | _SHARED_LOAD)
                for side, caller in callers.items():
                    if side in ("built-in", "echo") and kind == "shared":
                        continue  # they share nothing
                    bench.oap.configure(delay_ms=0, workers=0)
                    load = {**ARGO_LOAD, "seconds": bench.seconds}
                    before = cpu_seconds(service.pid)
                    borne = (
                        caller.run_load(load | _SHARED_LOAD)
                        if kind == "shared"
                        else bench.run_uncached_load(caller, load)
                    )
                    used = cpu_seconds(service.pid) - before
                    row = {"side": side, "questions": kind, "repetition": repetition, "serviceCpuSeconds": used}
                    rows.append(row | borne | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_burst(bench: Bench) -> list[Row]:
    """(c, d) A thousand runs at once on fifty services: our service is new to all of it each time."""
    rows = []
    for repetition in bench.repeat("burst"):
        for side in ("built-in", "ours", "echo"):
            with bench.start_service() as service, bench.start_callers(service, side) as callers:
                bench.oap.configure(services=SHARED_SERVICES)
                # The plugin's process is there before Argo measures anything; what it asks then is not the burst's.
                callers[side].run_load({"workers": 1, "metrics": 0, "runs": 1, "services": 1})
                _wait_for_minute_start(_BURST_SECONDS)
                before = cpu_seconds(service.pid)
                borne = callers[side].run_load(BURST_LOAD)
                row = {"side": side, "repetition": repetition, "serviceCpuSeconds": cpu_seconds(service.pid) - before}
                rows.append(row | borne | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_memory(bench: Bench) -> list[Row]:
    """(e) Resident memory: at rest, after a load, and with a thousand in flight on an OAP of five seconds."""
    rows = []
    as_shipped: dict[str, Any] = {}
    all_at_once = {"maxRequests": 1000, "timeout": "12s"}
    for name, backend in (("as shipped", as_shipped), ("maxRequests 1000, timeout 12s", all_at_once)):
        for loaded in (False, True):
            bench.report_progress(f"memory, {name}{', after a load' if loaded else ''}")
            bench.oap.configure(delay_ms=0, workers=0)
            with bench.start_service(**backend) as service, bench.start_callers(service, "ours") as callers:
                few = {"workers": 1, "metrics": METRICS, "runs": 1}  # it knows clock, schema and catalogue of its OAP
                bench.run_uncached_load(callers["ours"], {**ARGO_LOAD, "seconds": bench.seconds} if loaded else few)
                row: Row = {"backend": name, "loaded": loaded, "beforeMiB": resident_mib(service.pid)}
                bench.oap.configure(delay_ms=5000, workers=0)
                reset_peak(service.pid)
                borne = bench.run_uncached_load(callers["ours"], {"workers": 1000, "metrics": 1, "runs": 1000})
                row["floodPeakMiB"] = resident_mib(service.pid, peak=True)
                rows.append(row | {"flood": borne, "oap": bench.oap.fetch_statistics()})
    return rows


def measure_startup(bench: Bench) -> list[Row]:
    """(f) From the start of the process until it says SERVING."""
    rows = []
    for repetition in bench.repeat("start", 2 * bench.repetitions):
        with bench.start_service() as service:
            rows.append(
                {"repetition": repetition, "seconds": service.ready_seconds, "cpuSeconds": cpu_seconds(service.pid)}
            )
    return rows


def measure_conditions(bench: Bench) -> Row:
    """What one condition on five values costs, in a process of its own on the service's core."""
    bench.report_progress("conditions")
    command = ["taskset", "-c", bench.cores.service, str(SHIPPED_PYTHON), "-m", "bench.conditions"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    row: Row = json.loads(answer.stdout)
    return row


def _warm_up(bench: Bench, callers: dict[str, processes.Caller]) -> None:
    """Connections, caches of conditions and blocks: what a process pays once."""
    for caller in callers.values():
        bench.run_uncached_load(caller, {**ARGO_LOAD, "seconds": 0.5})


def _wait_for_minute_start(seconds: float) -> None:
    """Begin where no minute ends within so many seconds: at its end all questions change."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.5)
