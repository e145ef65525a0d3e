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

from bench.machine import about
from bench.soak.bites import Record, harmless, rows
from bench.soak.canaries import KINDS, leaked
from bench.soak.ledger import Ledger
from bench.soak.load import Load
from bench.soak.parts import Parts, parts
from bench.soak.steady import Growth, Sample, growths
from bench.soak.weather import SIGNS, weather

_CALM_END_SECONDS = 20.0
_PATIENCE_SECONDS = 90.0
_PROGRESS_SECONDS = 15.0
_ENOUGH_SECONDS = 120.0
"""A second half that is shorter says nothing about growth."""


class Soak:
    """One soak."""

    def __init__(self, parts: Parts, seconds: float, console: Console) -> None:
        self._parts, self._seconds, self._console = parts, seconds, console
        self._began = time.monotonic()
        self.ledger = Ledger()
        self.record = Record(self._elapsed)
        self.samples: dict[str, list[Sample]] = {"service": [], "bridge": []}

    async def run(self, rate: float) -> None:
        """Load and weather; the load ends in calm, and everything that was begun must end."""
        load = Load(self._parts, self.ledger, self.record)
        watching = [asyncio.create_task(self._sample()), asyncio.create_task(self._tell())]
        try:
            async with asyncio.timeout(self._seconds + _PATIENCE_SECONDS), asyncio.TaskGroup() as group:
                group.create_task(load.bear(rate / len(KINDS), self._seconds))
                group.create_task(weather(self._parts, self._seconds - _CALM_END_SECONDS, self.record))
        except TimeoutError:
            self.ledger.breaks(f"{self.ledger.in_flight} measurements did not end")
        finally:
            for task in watching:
                if task.done():
                    self.ledger.breaks(f"nobody looked at the processes any more: {task.exception()!r}")
                task.cancel()
        if not self._parts.service.runs:
            self.ledger.breaks("the service ended by itself")
        if not self.ledger.calls["terminate"]:
            self.ledger.breaks("nothing was terminated: of the runs that were aborted nothing was Running")

    def grown(self) -> dict[str, list[Growth]]:
        """What grew in the second half; a process that was replaced in it broke a promise."""
        grown: dict[str, list[Growth]] = {}
        if self._seconds / 2 < _ENOUGH_SECONDS:
            return grown
        for name, samples in self.samples.items():
            half = [sample for sample in samples if self._seconds / 2 + 15 < sample.at < self._seconds]
            if len({sample.pid for sample in half}) != 1:
                self.ledger.breaks(f"the {name} ended in the second half, when nobody killed it")
                continue
            grown[name] = list(growths(half))
            for growth in grown[name]:
                if not growth.steady:
                    self.ledger.breaks(f"{name}: {growth.what} grew by {growth.grows:.1f}, bound {growth.bound:.1f}")
        return grown

    def judge_the_weather(self) -> None:
        """A spell that hurt nobody broke a promise."""
        for seen, missing in harmless(self.record, SIGNS):
            self.ledger.breaks(f"the spell {seen.name!r} at {seen.began:.0f} s hurt nobody: {missing}")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    async def _sample(self) -> None:
        while True:
            for name, pid in (("service", self._parts.service.pid), ("bridge", self._parts.bridge)):
                try:
                    if pid:
                        self.record.process(name, pid)
                        self.samples[name].append(Sample.of(pid, self._elapsed()))
                except (ProcessLookupError, FileNotFoundError):
                    continue
            await asyncio.sleep(1)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            last = {name: samples[-1] for name, samples in self.samples.items() if samples}
            sizes = " · ".join(f"{name} {s.resident_mib:.0f} MiB {s.files} files" for name, s in last.items())
            self._console.print(
                f"{self._elapsed():5.0f} s  {self.ledger.begun.total()} begun, "
                f"{self.ledger.in_flight} in flight, {self.ledger.broken} promises broken"
                f" · {sizes} · {self.record.now.name}",
                highlight=False,
                soft_wrap=True,
            )


def tables(raw: dict[str, Any]) -> Iterator[Table]:
    """What a soak gave, for the terminal."""
    ends = Table("measurements", "begun", "ended", title="What became of them", title_justify="left")
    for kind, begun in raw["begun"].items():
        ends.add_row(kind, str(begun), _counts(raw["ended"][kind]))
    yield ends
    yield _spells(raw["weather"])
    calls = Table("call", "made", "longest, s", title="Calls of Argo's", title_justify="left")
    for op, made in raw["calls"].items():
        calls.add_row(op, str(made), f"{raw['longestSeconds'][op]:.2f}")
    yield calls
    grown = Table("process", "what", "begins", "grows", "bound", title="Second half", title_justify="left")
    for name, found in raw["grown"].items():
        for one in found:
            grown.add_row(name, one["what"], *(f"{one[key]:.1f}" for key in ("begins", "grows", "bound")))
    yield grown


def _spells(weather: list[dict[str, Any]]) -> Table:
    table = Table(title="What each spell did", title_justify="left")
    table.add_column("weather", no_wrap=True)
    for name in ("times", "answers", "a tenth took, s", "seen"):
        table.add_column(name)
    for row in weather:
        seen = [f"{times} {reason}" for reason, times in row["waits"].items()]
        seen += [f"{row['lost']} lost"] if row["lost"] else []
        seen += [f"another {process}" for process in row["replaced"]]
        seen += [f"[red]hurt nobody {row['harmless']} times"] if row["harmless"] else []
        slowest = f"{row['slowestTenthSeconds']:.3f}"
        table.add_row(row["weather"], str(row["times"]), str(row["answers"]), slowest, ", ".join(seen))
    return table


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


async def soaked(seconds: float, rate: float, console: Console) -> dict[str, Any]:
    """A soak and what it gave."""
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        folder = Path(home)
        async with parts(folder) as running:
            soak = Soak(running, seconds, console)
            await soak.run(rate)
            soak.judge_the_weather()
        for log in ("service.log", "argo-host.log"):
            if leaked((folder / log).read_text(errors="replace")):
                soak.ledger.breaks(f"a secret in {log}")
        grown = soak.grown()
    ledger = soak.ledger
    ended: dict[str, dict[str, int]] = {kind: {} for kind in ledger.begun}
    for (kind, phase), count in sorted(ledger.ended.items()):
        ended[kind][phase] = count
    return {
        "about": about(),
        "seconds": seconds,
        "rate": rate,
        "begun": dict(ledger.begun),
        "ended": ended,
        "weather": list(rows(soak.record, SIGNS)),
        "calls": dict(ledger.calls),
        "longestSeconds": ledger.longest,
        "lostWithTheBridge": ledger.lost_with_the_bridge,
        "grown": {name: [asdict(one) for one in found] for name, found in grown.items()},
        "broken": ledger.broken,
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
    raw = asyncio.run(soaked(wanted.minutes * 60, wanted.rate, console))
    for table in tables(raw):
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
