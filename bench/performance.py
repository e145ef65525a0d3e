"""How much this provider adds, takes and spares, beside Argo's built-in provider and a plugin that only echoes.

`make bench` runs all phases, prints the tables, and writes the raw rows to bench/results and the tables to
docs/performance.md, which says what each figure means.
"""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from bench import parts, phases, report
from bench.figures import Raw, targets, unlike
from bench.machine import about, share_out

_PHASES = {
    "latency": phases.latency,
    "rates": phases.rates,
    "burst": phases.burst,
    "memory": phases.memory,
    "start": phases.start,
    "conditions": phases.conditions,
}


def main() -> int:
    """Run it; ends with 0 if every measurement was what it should be. Targets are told, not enforced."""
    wanted = _arguments()
    console = Console()
    if wanted.show:
        report.show(json.loads(wanted.show.read_text()), console)
        return 0
    raw = measured(wanted, console)
    if wanted.phases != list(_PHASES):
        console.print_json(json.dumps(raw))
        return 0
    report.show(raw, console)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(raw, indent=1) + "\n")
    if wanted.page:
        report.write(raw, wanted.page)
    if wrong := unlike(raw):
        console.print(f"[red]{wrong} measurements were not Successful: the figures are of something else")
        return 1
    missed = [target.what for target in targets(raw) if not target.met]
    console.print(f"missed: {', '.join(missed)}" if missed else "every floor is met")
    return 0


def measured(wanted: argparse.Namespace, console: Console) -> Raw:
    """The raw rows of the wanted phases."""
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - began:4.0f} s  {what}", highlight=False)

    cores = share_out()
    raw: Raw = {"about": about(), "repetitions": wanted.repetitions, "secondsOfALoad": wanted.seconds}
    with parts.oap(cores) as oap:
        bench = phases.Bench(cores, oap, wanted.repetitions, wanted.seconds, say)
        for name in wanted.phases:
            raw[name] = _PHASES[name](bench)
    raw["tookSeconds"] = round(time.monotonic() - began)
    return raw


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of a load that is bounded by time")
    arguments.add_argument("--phases", nargs="+", choices=_PHASES, default=list(_PHASES), help="some only: raw rows")
    arguments.add_argument("--json", type=Path, help="where the raw rows go")
    arguments.add_argument("--page", type=Path, help="the page whose tables are written anew")
    arguments.add_argument("--show", type=Path, help="measure nothing: print the tables of raw rows")
    return arguments.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
