"""Run a soak, tell how it goes, and end with 1 if a promise was broken."""

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
from bench.soak.fault_effects import Observations, ineffective_faults, summary_rows
from bench.soak.fault_schedule import EXPECTED_EFFECTS, run_fault_schedule
from bench.soak.growth import Growth, ProcessSample, measure_growth
from bench.soak.processes import SoakProcesses, start_processes
from bench.soak.results import SoakResults
from bench.soak.workload import METRIC_KINDS, contains_secret

_QUIET_END_SECONDS = 20.0
_FINISH_TIMEOUT_SECONDS = 90.0
_PROGRESS_SECONDS = 15.0
_MIN_GROWTH_SECONDS = 120.0
"""A second half that is shorter says nothing about growth."""


class Soak:
    """One soak."""

    def __init__(self, processes: SoakProcesses, seconds: float, console: Console) -> None:
        self._processes, self._seconds, self._console = processes, seconds, console
        self._started_at = time.monotonic()
        self.results = SoakResults()
        self.observations = Observations(self._elapsed)
        self.samples: dict[str, list[ProcessSample]] = {"service": [], "bridge": []}

    async def run(self, rate: float) -> None:
        """Load and weather; the load ends in calm, and everything that was begun must end."""
        load = LoadDriver(self._processes, self.results, self.observations)
        watching = [asyncio.create_task(self._sample_processes()), asyncio.create_task(self._report_progress())]
        try:
            async with asyncio.timeout(self._seconds + _FINISH_TIMEOUT_SECONDS), asyncio.TaskGroup() as group:
                group.create_task(load.run(rate / len(METRIC_KINDS), self._seconds))
                group.create_task(
                    run_fault_schedule(self._processes, self._seconds - _QUIET_END_SECONDS, self.observations)
                )
        except TimeoutError:
            self.results.record_violation(f"{self.results.in_flight} measurements did not end")
        finally:
            for task in watching:
                if task.done():
                    self.results.record_violation(f"nobody looked at the processes any more: {task.exception()!r}")
                task.cancel()
        if not self._processes.service.is_running:
            self.results.record_violation("the service ended by itself")
        if not self.results.call_counts["terminate"]:
            self.results.record_violation("nothing was terminated: of the runs that were aborted nothing was Running")

    def check_growth(self) -> dict[str, list[Growth]]:
        """What grew in the second half; a process that was replaced in it broke a promise."""
        grown: dict[str, list[Growth]] = {}
        if self._seconds / 2 < _MIN_GROWTH_SECONDS:
            return grown
        for name, samples in self.samples.items():
            half = [sample for sample in samples if self._seconds / 2 + 15 < sample.elapsed_seconds < self._seconds]
            if len({sample.pid for sample in half}) != 1:
                self.results.record_violation(f"the {name} ended in the second half, when nobody killed it")
                continue
            grown[name] = list(measure_growth(half))
            for growth in grown[name]:
                if not growth.within_bound:
                    self.results.record_violation(
                        f"{name}: {growth.resource} grew by {growth.increase:.1f}, bound {growth.bound:.1f}"
                    )
        return grown

    def check_fault_effects(self) -> None:
        """A spell that hurt nobody broke a promise."""
        for seen, missing in ineffective_faults(self.observations, EXPECTED_EFFECTS):
            self.results.record_violation(f"the spell {seen.name!r} at {seen.starts_at:.0f} s hurt nobody: {missing}")

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
            await asyncio.sleep(1)

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            last = {name: samples[-1] for name, samples in self.samples.items() if samples}
            sizes = " · ".join(f"{name} {s.resident_mib:.0f} MiB {s.files} files" for name, s in last.items())
            self._console.print(
                f"{self._elapsed():5.0f} s  {self.results.start_counts.total()} begun, "
                f"{self.results.in_flight} in flight, {self.results.violation_count} promises broken"
                f" · {sizes} · {self.observations.current.name}",
                highlight=False,
                soft_wrap=True,
            )


def result_tables(raw: dict[str, Any]) -> Iterator[Table]:
    """What a soak gave, for the terminal."""
    ends = Table("measurements", "begun", "ended", title="What became of them", title_justify="left")
    for kind, begun in raw["begun"].items():
        ends.add_row(kind, str(begun), _format_counts(raw["ended"][kind]))
    yield ends
    yield _fault_table(raw["weather"])
    calls = Table("call", "made", "longest, s", title="Calls of Argo's", title_justify="left")
    for op, made in raw["calls"].items():
        calls.add_row(op, str(made), f"{raw['longestSeconds'][op]:.2f}")
    yield calls
    grown = Table("process", "what", "begins", "grows", "bound", title="Second half", title_justify="left")
    for name, found in raw["grown"].items():
        for one in found:
            grown.add_row(name, one["what"], *(f"{one[key]:.1f}" for key in ("begins", "grows", "bound")))
    yield grown


def _fault_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="What each spell did", title_justify="left")
    table.add_column("weather", no_wrap=True)
    for name in ("times", "answers", "a tenth took, s", "seen"):
        table.add_column(name)
    for row in rows:
        seen = [f"{times} {reason}" for reason, times in row["waits"].items()]
        seen += [f"{row['lost']} lost"] if row["lost"] else []
        seen += [f"another {process}" for process in row["replaced"]]
        seen += [f"[red]hurt nobody {row['harmless']} times"] if row["harmless"] else []
        slowest = f"{row['slowestTenthSeconds']:.3f}"
        table.add_row(row["weather"], str(row["times"]), str(row["answers"]), slowest, ", ".join(seen))
    return table


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


async def run_soak(seconds: float, rate: float, console: Console) -> dict[str, Any]:
    """A soak and what it gave."""
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        folder = Path(home)
        async with start_processes(folder) as running:
            soak = Soak(running, seconds, console)
            await soak.run(rate)
            soak.check_fault_effects()
        for log in ("service.log", "argo-host.log"):
            if contains_secret((folder / log).read_text(errors="replace")):
                soak.results.record_violation(f"a secret in {log}")
        grown = soak.check_growth()
    ledger = soak.results
    ended: dict[str, dict[str, int]] = {kind: {} for kind in ledger.start_counts}
    for (kind, phase), count in sorted(ledger.end_counts.items()):
        ended[kind][phase] = count
    return {
        "about": describe_machine(),
        "seconds": seconds,
        "rate": rate,
        "begun": dict(ledger.start_counts),
        "ended": ended,
        "weather": list(summary_rows(soak.observations, EXPECTED_EFFECTS)),
        "calls": dict(ledger.call_counts),
        "longestSeconds": ledger.longest_seconds,
        "lostWithTheBridge": ledger.lost_with_bridge,
        "grown": {name: [asdict(one) for one in found] for name, found in grown.items()},
        "broken": ledger.violation_count,
        "examples": ledger.examples,
    }


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--rate", type=float, default=100, help="measurements begun each second (default: 100)")
    parser.add_argument("--json", type=Path, help="where what it gave goes")
    wanted = parser.parse_args()
    console = Console()
    raw = asyncio.run(run_soak(wanted.minutes * 60, wanted.rate, console))
    for table in result_tables(raw):
        console.print(table)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(raw, indent=1) + "\n")
    for example in raw["examples"]:
        console.print(f"[red]{example}", highlight=False)
    lost = raw["lostWithTheBridge"]
    console.print(f"{raw['broken']} promises broken; {lost} measurements lost with a bridge that was killed under them")
    return 1 if raw["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
