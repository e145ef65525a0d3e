"""Simulation of a fleet with the costs of the last `make bench`. `make fleet` runs it in about a minute."""

import argparse
import json
import os
import time
from pathlib import Path

from rich.console import Console

from bench.fleet.costs import read_costs, read_replica_costs
from bench.fleet.lookup_cost import measure_lookup_ms
from bench.fleet.scenarios import list_scenarios, run_scenarios
from bench.fleet.tables import build_tables
from bench.fleet.validation import compare_with_measurements
from bench.report import format_tables, print_tables, replace_tables


def main() -> None:
    """Run the command."""
    options = _parse_arguments()
    began = time.monotonic()
    raw = json.loads(options.costs.read_text())
    costs, lookup_ms = read_replica_costs(raw), measure_lookup_ms()
    scenarios = list(list_scenarios(costs, lookup_ms))
    rows = run_scenarios(scenarios, options.processes)
    comparisons = compare_with_measurements(raw, read_costs(raw))
    tables = list(build_tables(costs, rows, comparisons, lookup_ms))
    console = Console()
    print_tables(tables, console)
    about = raw["about"]
    if options.json:
        figures = [{"name": one.name, "measured": one.measured, "model": one.modelled} for one in comparisons]
        source = {"at": about["at"], "commit": about["commit"]}
        content = {"costsOf": source, "lookupMs": lookup_ms, "validation": figures, "scenarios": rows}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    if options.page:
        caption = f"Simulated with the costs that `make bench` measured {about['at']} at commit {about['commit']}."
        replace_tables("\n".join([caption, *format_tables(tables)]), options.page)
    console.print(f"{len(rows)} simulations in {time.monotonic() - began:.0f} s")


def _parse_arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--costs", type=Path, default=Path("bench/results/performance.json"), help="raw rows of make bench"
    )
    arguments.add_argument("--json", type=Path, help="file for the figures of all simulations")
    arguments.add_argument("--page", type=Path, help="page whose tables are replaced")
    arguments.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="simulations at a time")
    return arguments.parse_args()


if __name__ == "__main__":
    main()
