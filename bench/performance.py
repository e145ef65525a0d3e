"""How much this provider adds, takes and spares, beside Argo's built-in provider and a plugin that only echoes.

`make bench` runs all phases, prints the tables, and writes the raw rows to bench/results and the tables to
docs/performance.md, which says what each figure means.
"""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from bench import processes, report, scenarios
from bench.cpu_affinity import assign_cores, describe_machine
from bench.statistics import Raw, count_unexpected, evaluate_targets

_SCENARIOS = {
    "latency": scenarios.measure_latency,
    "rates": scenarios.measure_rates,
    "burst": scenarios.measure_burst,
    "memory": scenarios.measure_memory,
    "start": scenarios.measure_startup,
    "conditions": scenarios.measure_conditions,
}


def main() -> int:
    """Run it; ends with 0 if every measurement was what it should be. Targets are told, not enforced."""
    wanted = _parse_arguments()
    console = Console()
    if wanted.show:
        report.print_report(json.loads(wanted.show.read_text()), console)
        return 0
    raw = run_scenarios(wanted, console)
    if wanted.phases != list(_SCENARIOS):
        console.print_json(json.dumps(raw))
        return 0
    report.print_report(raw, console)
    if wanted.json:
        wanted.json.parent.mkdir(parents=True, exist_ok=True)
        wanted.json.write_text(json.dumps(raw, indent=1) + "\n")
    if wanted.page:
        report.write_page_tables(raw, wanted.page)
    if wrong := count_unexpected(raw):
        console.print(f"[red]{wrong} measurements were not Successful: the figures are of something else")
        return 1
    missed = [target.name for target in evaluate_targets(raw) if not target.met]
    console.print(f"missed: {', '.join(missed)}" if missed else "every floor is met")
    return 0


def run_scenarios(options: argparse.Namespace, console: Console) -> Raw:
    """The raw rows of the wanted phases."""
    began = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - began:4.0f} s  {what}", highlight=False)

    cores = assign_cores()
    raw: Raw = {"about": describe_machine(), "repetitions": options.repetitions, "secondsOfALoad": options.seconds}
    with processes.start_oap(cores) as oap:
        bench = scenarios.Bench(cores, oap, options.repetitions, options.seconds, say)
        for name in options.phases:
            raw[name] = _SCENARIOS[name](bench)
    raw["tookSeconds"] = round(time.monotonic() - began)
    return raw


def _parse_arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repetitions", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of a load that is bounded by time")
    arguments.add_argument(
        "--phases", nargs="+", choices=_SCENARIOS, default=list(_SCENARIOS), help="some only: raw rows"
    )
    arguments.add_argument("--json", type=Path, help="where the raw rows go")
    arguments.add_argument("--page", type=Path, help="the page whose tables are written anew")
    arguments.add_argument("--show", type=Path, help="measure nothing: print the tables of raw rows")
    return arguments.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
