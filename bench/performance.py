"""Performance benchmark: this provider beside Argo's built-in provider and an echo plugin.

It measures added latency, throughput, OAP requests, memory and start-up time. `make bench` runs all scenarios, prints
the tables, writes the raw rows to bench/results and the tables to docs/performance.md, which explains each figure.
"""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from bench import judged_burst, processes, replicas, report, sampling, scenarios
from bench.cpu_affinity import assign_cores, describe_machine
from bench.statistics import Raw, count_unexpected, evaluate_targets

_SCENARIOS = {
    "latency": scenarios.measure_latency,
    "rates": scenarios.measure_rates,
    "stages": sampling.measure_stages,
    "burst": scenarios.measure_burst,
    "memory": scenarios.measure_memory,
    "startup": scenarios.measure_startup,
    "conditions": scenarios.measure_conditions,
    "hostile": scenarios.measure_beside_hostile,
    "judged": scenarios.measure_judged_looks,
    "judged-burst": judged_burst.measure_judged_burst,
    "virtual-day": scenarios.measure_virtual_day,
    "replicas": replicas.measure_replicas,
}


def main() -> int:
    """Run the command; return 1 if a measurement was not Successful. Missed targets are only reported."""
    options = _parse_arguments()
    console = Console()
    if options.show:
        report.print_report(json.loads(options.show.read_text()), console)
        return 0
    raw = run_scenarios(options, console)
    report.print_report(raw, console)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(raw, indent=1) + "\n")
    is_complete = options.scenarios == list(_SCENARIOS)
    if options.page and is_complete:
        report.write_page_tables(raw, options.page)
    if unexpected := count_unexpected(raw):
        console.print(f"[red]{unexpected} measurements were not Successful: the figures are not valid")
        return 1
    if not is_complete:
        return 0
    missed = [target.name for target in evaluate_targets(raw) if not target.met]
    console.print(f"targets missed: {', '.join(missed)}" if missed else "all targets are met")
    return 0


def run_scenarios(options: argparse.Namespace, console: Console) -> Raw:
    """Run the selected scenarios and return their raw rows."""
    started_at = time.monotonic()

    def report_progress(text: str) -> None:
        console.print(f"{time.monotonic() - started_at:4.0f} s  {text}", highlight=False)

    cores = assign_cores()
    raw: Raw = {"about": describe_machine(), "repetitions": options.repetitions, "loadSeconds": options.seconds}
    with processes.start_oap(cores) as oap:
        bench = scenarios.Bench(cores, oap, options.repetitions, options.seconds, report_progress)
        for name in options.scenarios:
            raw[name] = _SCENARIOS[name](bench)
    raw["durationSeconds"] = round(time.monotonic() - started_at)
    return raw


def _parse_arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repetitions", type=int, default=5, help="repetitions of each scenario (default: 5)")
    arguments.add_argument(
        "--seconds", type=float, default=2.0, help="duration of a load that is limited by time (default: 2)"
    )
    arguments.add_argument(
        "--scenarios",
        nargs="+",
        choices=_SCENARIOS,
        default=list(_SCENARIOS),
        help="scenarios to run (default: all); targets and page need all",
    )
    arguments.add_argument("--json", type=Path, help="file for the raw rows")
    arguments.add_argument("--page", type=Path, help="page whose tables are replaced")
    arguments.add_argument("--show", type=Path, help="print the tables of this file of raw rows and measure nothing")
    return arguments.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
