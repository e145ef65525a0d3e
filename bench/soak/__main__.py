"""Command line of the soak test. It prints the progress and exits with 1 if a guarantee was violated."""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cpu_affinity import describe_machine
from bench.soak.driver import LoadDriver
from bench.soak.failure_burst import FailureBurst, find_burst_violations, run_failure_bursts
from bench.soak.fault_effects import Observations, ineffective_faults, slow_windows, summary_rows
from bench.soak.fault_schedule import EXPECTED_EFFECTS, P99_LIMITS, run_fault_schedule
from bench.soak.growth import Growth, ProcessSample, measure_growth
from bench.soak.memory import MemoryPeaks
from bench.soak.processes import SoakProcesses, start_processes
from bench.soak.results import SoakResults
from bench.soak.workload import METRIC_KINDS, contains_secret

_QUIET_END_SECONDS = 20.0
_FINISH_TIMEOUT_SECONDS = 90.0
_PROGRESS_SECONDS = 15.0
_MIN_GROWTH_SECONDS = 120.0
"""Growth is not measured over a shorter second half."""


class Soak:
    """One soak test."""

    def __init__(self, processes: SoakProcesses, seconds: float, console: Console) -> None:
        self._processes, self._seconds, self._console = processes, seconds, console
        self._started_at = time.monotonic()
        self.results = SoakResults()
        self.observations = Observations(self._elapsed)
        self.memory = MemoryPeaks()
        self.bursts: list[FailureBurst] = []
        processes.on_disturbance = self.observations.record_disturbance
        processes.on_violation = self.results.record_violation
        self.samples: dict[str, list[ProcessSample]] = {"service": [], "bridge": []}

    async def run(self, rate: float) -> None:
        """Run the load and the fault schedule. The load ends in a quiet period, and every measurement must finish."""
        load = LoadDriver(self._processes, self.results, self.observations)
        samplers = [asyncio.create_task(self._sample_processes()), asyncio.create_task(self._report_progress())]
        try:
            async with asyncio.timeout(self._seconds + _FINISH_TIMEOUT_SECONDS), asyncio.TaskGroup() as group:
                group.create_task(load.run(rate / len(METRIC_KINDS), self._seconds))
                group.create_task(
                    run_fault_schedule(self._processes, self._seconds - _QUIET_END_SECONDS, self.observations)
                )
        except TimeoutError:
            self.results.record_violation(f"{self.results.in_flight} measurements did not finish")
        finally:
            for task in samplers:
                if task.done():
                    self.results.record_violation(f"the sampling of the processes stopped: {task.exception()!r}")
                task.cancel()
        if not self._processes.service.is_running:
            self.results.record_violation("the service ended without being killed")
        if not self.results.call_counts["terminate"]:
            self.results.record_violation("no measurement was terminated: no aborted run had a Running measurement")

    async def run_bursts(self) -> None:
        """Run the bursts of Failed measurements on the service that has had the load."""
        if not self._processes.service.is_running:
            return
        try:
            self.bursts = await run_failure_bursts(self._processes)
        except TimeoutError:
            self.results.record_violation("a burst of Failed measurements did not end")
        for violation in find_burst_violations(self.bursts):
            self.results.record_violation(violation)
        self.memory.sample(self._processes.service.pid)

    def check_growth(self) -> dict[str, list[Growth]]:
        """Return the growth in the second half by process. A process that was replaced there is a violation."""
        by_process: dict[str, list[Growth]] = {}
        if self._seconds / 2 < _MIN_GROWTH_SECONDS:
            return by_process
        for name, samples in self.samples.items():
            half = [sample for sample in samples if self._seconds / 2 + 15 < sample.elapsed_seconds < self._seconds]
            if len({sample.pid for sample in half}) != 1:
                self.results.record_violation(f"the {name} ended in the second half without being killed")
                continue
            by_process[name] = list(measure_growth(half))
            for growth in by_process[name]:
                if not growth.within_bound:
                    self.results.record_violation(
                        f"{name}: {growth.resource} grew by {growth.increase:.1f}, bound {growth.bound:.1f}"
                    )
        return by_process

    def check_fault_effects(self) -> None:
        """Record a violation for each fault window without its expected effect."""
        for window, missing in ineffective_faults(self.observations, EXPECTED_EFFECTS):
            self.results.record_violation(
                f"the fault {window.name!r} at {window.starts_at:.0f} s had no effect: {missing}"
            )

    def check_isolation(self) -> None:
        """Record a violation for each fault that other namespaces noticed, and for memory above the chart's limit."""
        for window, slow in slow_windows(self.observations, P99_LIMITS):
            self.results.record_violation(f"during {window.name!r} at {window.starts_at:.0f} s the {slow}")
        for violation in self.memory.violations():
            self.results.record_violation(violation)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started_at

    async def _sample_processes(self) -> None:
        while True:
            for name, pid in (("service", self._processes.service.pid), ("bridge", self._processes.bridge_pid)):
                try:
                    if pid:
                        self.observations.record_process(name, pid)
                        self.samples[name].append(ProcessSample.take(pid, self._elapsed()))
                except (ProcessLookupError, FileNotFoundError):
                    continue
            if self._processes.service.is_running:
                self.memory.sample(self._processes.service.pid)
            await asyncio.sleep(1)

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            last = {name: samples[-1] for name, samples in self.samples.items() if samples}
            sizes = " · ".join(f"{name} {s.resident_mib:.0f} MiB {s.files} files" for name, s in last.items())
            self._console.print(
                f"{self._elapsed():5.0f} s  {self.results.start_counts.total()} started, "
                f"{self.results.in_flight} in flight, {self.results.violation_count} violations"
                f" · {sizes} · {self.observations.current.name}",
                highlight=False,
                soft_wrap=True,
            )


def result_tables(raw: dict[str, Any]) -> Iterator[Table]:
    """Yield the result tables for the terminal."""
    finished = Table("metric", "started", "finished", title="Measurements", title_justify="left")
    for kind, started in raw["started"].items():
        finished.add_row(kind, str(started), _format_counts(raw["finished"][kind]))
    yield finished
    yield _fault_table(raw["faults"])
    calls = Table("call", "count", "longest, s", title="Calls through Argo's client", title_justify="left")
    for op, count in raw["calls"].items():
        calls.add_row(op, str(count), f"{raw['maxSeconds'][op]:.2f}")
    yield calls
    columns = ("initial", "increase", "bound")
    growth = Table("process", "resource", *columns, title="Growth in the second half", title_justify="left")
    for name, resources in raw["growth"].items():
        for one in resources:
            growth.add_row(name, one["resource"], *(f"{one[key]:.1f}" for key in columns))
    yield growth
    yield _burst_table(raw["failureBursts"])


def _burst_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Bursts of Failed measurements", title_justify="left")
    for name in ("count", "causes", "rankings", "reads", "each", "s", "initial MiB", "growth"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        counts = (str(row[key]) for key in ("measurements", "withCause", "rankings", "reads"))
        sizes = (f"{row[key]:.1f}" for key in ("seconds", "initialMiB", "growthMiB"))
        table.add_row(*counts, f"{row['requestsEach']:.3f}", *sizes)
    return table


def _fault_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Effects of the injected faults", title_justify="left")
    table.add_column("fault", no_wrap=True)
    for name in ("count", "responses", "p90, s", "p99, s", "effects"):
        table.add_column(name)
    for row in rows:
        effects = [f"{count} {reason}" for reason, count in row["waitReasons"].items()]
        effects += [f"{count} × {name}" for name, count in row["disturbances"].items()]
        effects += [f"{row['lostMeasurements']} lost"] if row["lostMeasurements"] else []
        effects += [f"{process} replaced" for process in row["replacedProcesses"]]
        effects += [f"[red]no effect in {row['withoutEffect']} windows"] if row["withoutEffect"] else []
        percentiles = [f"{row[key]:.3f}" for key in ("p90Seconds", "p99Seconds")]
        table.add_row(row["name"], str(row["count"]), str(row["responses"]), *percentiles, ", ".join(effects))
    return table


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


async def run_soak(seconds: float, rate: float, console: Console) -> dict[str, Any]:
    """Run a soak test and return its results."""
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        folder = Path(home)
        async with start_processes(folder) as running:
            soak = Soak(running, seconds, console)
            await soak.run(rate)
            await soak.run_bursts()
            soak.check_fault_effects()
            soak.check_isolation()
        for log in ("service.log", "argo-host.log"):
            if contains_secret((folder / log).read_text(errors="replace")):
                soak.results.record_violation(f"{log} contains a secret")
        growth = soak.check_growth()
    results = soak.results
    finished: dict[str, dict[str, int]] = {kind: {} for kind in results.start_counts}
    for (kind, phase), count in sorted(results.end_counts.items()):
        finished[kind][phase] = count
    return {
        "about": describe_machine(),
        "seconds": seconds,
        "rate": rate,
        "started": dict(results.start_counts),
        "finished": finished,
        "faults": list(summary_rows(soak.observations, EXPECTED_EFFECTS)),
        "calls": dict(results.call_counts),
        "maxSeconds": results.longest_seconds,
        "peakMiB": {"service": round(soak.memory.service_mib), "withWorkers": round(soak.memory.container_mib)},
        "lostWithBridge": results.lost_with_bridge,
        "growth": {name: [asdict(one) for one in resources] for name, resources in growth.items()},
        "failureBursts": [burst.to_json() for burst in soak.bursts],
        "violations": results.violation_count,
        "examples": results.examples,
    }


def main() -> int:
    """Run the command; return 1 if a guarantee was violated."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="duration of the load (default: 10)")
    parser.add_argument("--rate", type=float, default=100, help="measurements started per second (default: 100)")
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    console = Console()
    raw = asyncio.run(run_soak(options.minutes * 60, options.rate, console))
    for table in result_tables(raw):
        console.print(table)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(raw, indent=1) + "\n")
    for example in raw["examples"]:
        console.print(f"[red]{example}", highlight=False)
    peaks = raw["peakMiB"]
    console.print(f"peak memory: service {peaks['service']} MiB, with its workers {peaks['withWorkers']} MiB")
    console.print(f"{raw['violations']} violations; {raw['lostWithBridge']} measurements lost with a killed bridge")
    return 1 if raw["violations"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
