"""Scenarios of the performance benchmark.

Each repetition measures all systems one after another, so a slow minute of the machine affects all of them.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from bench import hostile_neighbour, processes
from bench.cpu_affinity import ROOT, SHIPPED_PYTHON, Cores, cpu_seconds, reset_peak, resident_mib
from bench.soak import greedy_tenant

Row = dict[str, Any]
ProgressReporter = Callable[[str], None]

SERVICES = 1000  # in the OAP's inventory
SHARED_SERVICES = 50
METRICS = 5
ARGO_LOAD = {"workers": 30, "metrics": METRICS}  # Argo's --analysis-threads; five metrics per analysis run
SHARED_LOAD = {"shared": True, "services": SHARED_SERVICES}
BURST_LOAD = {**ARGO_LOAD, "runs": 1000, "first": True} | SHARED_LOAD
BURST_SECONDS = 14


@dataclass(slots=True)
class Bench:
    """Environment of all scenarios.

    Attributes:
        cores: Cores of the processes.
        oap: The static OAP.
        repetitions: Repetitions of each scenario.
        seconds: Duration of each load that is limited by time.
        report_progress: Callback for a line of progress.
        requested: Number of distinct queries used so far, so that the next ones are uncached.
    """

    cores: Cores
    oap: processes.StaticOap
    repetitions: int
    seconds: float
    report_progress: ProgressReporter
    requested: int = 0

    def repeat(self, label: str, times: int | None = None) -> Iterator[int]:
        """Yield the numbers of the repetitions and report each."""
        times = times or self.repetitions
        for number in range(times):
            self.report_progress(f"{label}, {number + 1} of {times}")
            yield number

    def run_uncached_load(self, caller: processes.Caller, load: processes.LoadSettings) -> Row:
        """Put a load of queries on a system that no earlier load has used."""
        result = caller.run_load(load | {"services": SERVICES, "offset": self.requested})
        self.requested += -(-result["latencyMs"]["count"] // METRICS) * METRICS
        return result

    def warm_up(self, callers: dict[str, processes.Caller]) -> None:
        """Open connections and fill the caches of conditions and blocks, which costs each process once."""
        for caller in callers.values():
            self.run_uncached_load(caller, {**ARGO_LOAD, "seconds": 0.5})

    @contextmanager
    def start_service(
        self, others: Mapping[str, Any] = MappingProxyType({}), **backend: Any
    ) -> Iterator[processes.ServiceProcess]:
        """Start the service with the OAP, and with other backends."""
        with (
            TemporaryDirectory(prefix="bench-") as folder,
            processes.start_service(self.cores, Path(folder), self.oap.url, others, **backend) as service,
        ):
            yield service

    @contextmanager
    def start_callers(self, service: processes.ServiceProcess, *systems: str) -> Iterator[dict[str, processes.Caller]]:
        """Start a caller of each system."""
        with ExitStack() as stack:
            yield {
                system: stack.enter_context(
                    processes.start_caller(self.cores, system, url=self.oap.url, socket=service.socket),
                )
                for system in systems
            }


def measure_latency(bench: Bench) -> list[Row]:
    """(a) Measure the latency of uncached measurements with 1, 30 and 200 in flight."""
    rows = []
    bench.oap.configure()
    with (
        bench.start_service() as service,
        bench.start_callers(service, "bare", "built-in", "echo", "provider") as callers,
    ):
        bench.warm_up(callers)
        for repetition in bench.repeat("latency"):
            for in_flight, seconds in ((1, 2 * bench.seconds), (30, bench.seconds), (200, bench.seconds)):
                for system, caller in callers.items():
                    bench.oap.configure()
                    result = bench.run_uncached_load(caller, {"workers": in_flight, "metrics": 1, "seconds": seconds})
                    row = {"system": system, "inFlight": in_flight, "repetition": repetition}
                    rows.append(row | result | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_rates(bench: Bench) -> list[Row]:
    """(b, c) Measure the uncached and shared measurements per second on one core; the OAP responds immediately."""
    rows = []
    for repetition in bench.repeat("rates"):
        for kind in ("uncached", "shared"):
            with (
                bench.start_service() as service,
                bench.start_callers(service, "service", "provider", "built-in", "echo") as callers,
            ):
                bench.oap.configure(delay_ms=0, workers=0)
                bench.warm_up(callers)
                callers["service"].run_load({**ARGO_LOAD, "runs": SHARED_SERVICES} | SHARED_LOAD)
                for system, caller in callers.items():
                    if system in ("built-in", "echo") and kind == "shared":
                        continue  # they have no cache
                    bench.oap.configure(delay_ms=0, workers=0)
                    load = {**ARGO_LOAD, "seconds": bench.seconds}
                    cpu_before = cpu_seconds(service.pid)
                    result = (
                        caller.run_load(load | SHARED_LOAD)
                        if kind == "shared"
                        else bench.run_uncached_load(caller, load)
                    )
                    used = cpu_seconds(service.pid) - cpu_before
                    row = {"system": system, "workload": kind, "repetition": repetition, "serviceCpuSeconds": used}
                    rows.append(row | result | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_burst(bench: Bench) -> list[Row]:
    """(c, d) Measure 1,000 runs at once on 50 services; the caches of the service are empty each time."""
    rows = []
    for repetition in bench.repeat("burst"):
        for system in ("built-in", "provider", "echo"):
            with bench.start_service() as service, bench.start_callers(service, system) as callers:
                bench.oap.configure(services=SHARED_SERVICES)
                # Argo starts the plugin before any measurement, so the requests of its start are not counted.
                callers[system].run_load({"workers": 1, "metrics": 0, "runs": 1, "services": 1})
                wait_for_minute_start(BURST_SECONDS)
                cpu_before = cpu_seconds(service.pid)
                result = callers[system].run_load(BURST_LOAD)
                row = {
                    "system": system,
                    "repetition": repetition,
                    "serviceCpuSeconds": cpu_seconds(service.pid) - cpu_before,
                }
                rows.append(row | result | {"oap": bench.oap.fetch_statistics()})
    return rows


def measure_memory(bench: Bench) -> list[Row]:
    """(e) Measure the resident memory: idle, after a load, and with 1,000 in flight on an OAP that takes 5 s."""
    rows = []
    default_configuration: dict[str, Any] = {}
    all_at_once = {"maxRequests": 1000, "timeout": "12s"}
    for name, backend in (
        ("default configuration", default_configuration),
        ("maxRequests 1000, timeout 12s", all_at_once),
    ):
        for loaded in (False, True):
            bench.report_progress(f"memory, {name}{', after a load' if loaded else ''}")
            bench.oap.configure(delay_ms=0, workers=0)
            with bench.start_service(**backend) as service, bench.start_callers(service, "provider") as callers:
                few = {"workers": 1, "metrics": METRICS, "runs": 1}  # fills the caches of clock, schema and metric list
                bench.run_uncached_load(callers["provider"], {**ARGO_LOAD, "seconds": bench.seconds} if loaded else few)
                row: Row = {"backend": name, "loaded": loaded, "initialMiB": resident_mib(service.pid)}
                bench.oap.configure(delay_ms=5000, workers=0)
                reset_peak(service.pid)
                result = bench.run_uncached_load(callers["provider"], {"workers": 1000, "metrics": 1, "runs": 1000})
                row["peakMiB"] = resident_mib(service.pid, peak=True)
                rows.append(row | {"parallelLoad": result, "oap": bench.oap.fetch_statistics()})
    return rows


def measure_beside_hostile(bench: Bench) -> list[Row]:
    """(h) Measure the latency with one in flight while another namespace reads an OAP with hostile responses."""
    rows = []
    bench.oap.configure()
    with hostile_neighbour.start_hostile_backend(bench.cores) as url:
        others = {hostile_neighbour.BACKEND: {"url": url, "allowedNamespaces": [greedy_tenant.NAMESPACE]}}
        with bench.start_service(others) as service, bench.start_callers(service, "provider") as callers:
            bench.warm_up(callers)
            load = {"workers": 1, "metrics": 1, "seconds": 2 * bench.seconds}
            for repetition in bench.repeat("beside hostile responses"):
                for kind in (None, *hostile_neighbour.KINDS):
                    row: Row = {"kind": kind.value if kind else "none", "repetition": repetition}
                    if kind is None:
                        rows.append(row | bench.run_uncached_load(callers["provider"], load))
                        continue
                    with hostile_neighbour.HostileNeighbour(url, kind, service.socket) as neighbour:
                        row |= bench.run_uncached_load(callers["provider"], load)
                    rows.append(row | {"hostileResponses": neighbour.measurements})
    return rows


def measure_startup(bench: Bench) -> list[Row]:
    """(f) Measure the time from the start of the process until the health check reports SERVING."""
    rows = []
    for repetition in bench.repeat("startup", 2 * bench.repetitions):
        with bench.start_service() as service:
            rows.append(
                {"repetition": repetition, "seconds": service.ready_seconds, "cpuSeconds": cpu_seconds(service.pid)}
            )
    return rows


def measure_conditions(bench: Bench) -> Row:
    """Measure the evaluation of one condition on five values."""
    return run_module(bench, "conditions")


def measure_judged_looks(bench: Bench) -> Row:
    """(g) Measure the OAP requests of judged runs, and the CPU time of a judged look beside a thresholded one."""
    return run_module(bench, "judged_looks")


def measure_virtual_day(bench: Bench) -> Row:
    """(k) Measure the resident memory of the engine over a day and a half of virtual time."""
    return run_module(bench, "virtual_day", bench.oap.url)


def run_module(bench: Bench, name: str, *arguments: str) -> Row:
    """Return what a module of the benchmark prints in a separate process on the service's core."""
    bench.report_progress(name.replace("_", " "))
    command = ["taskset", "-c", bench.cores.service, str(SHIPPED_PYTHON), "-m", f"bench.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    row: Row = json.loads(done.stdout)
    return row


def wait_for_minute_start(seconds: float) -> None:
    """Wait until no minute ends within this many seconds: all queries change at the end of a minute."""
    remaining = 60 - time.time() % 60
    if remaining < seconds:
        time.sleep(remaining + 0.5)
