"""Simulation of rollouts with its tables and claims. Exit code 1 if a claim is broken.

`make simulate` runs it; it takes little more than a minute on one core.
"""

import argparse
import json
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.simulation.claims import Claim, Outcomes, check_claims
from bench.simulation.judges import LATENCY_RUNS, RUNS
from bench.simulation.outcomes import encode
from bench.simulation.report import format_tables, write_page
from bench.simulation.runner import Result, run_scenarios


def main() -> int:
    """Run the simulation; 1 if a claim is broken."""
    options = _parse_arguments()
    started_at, started_cpu = time.monotonic(), time.process_time()
    results: list[Result] = []
    for result in run_scenarios(options.runs, options.latency_runs):
        results.append(result)
        print(f"==> {result.name:4} {result.title}: {result.seconds:.1f} s", flush=True)
    outcomes: Outcomes = {(one.name, judge): outcome for one in results for judge, outcome in one.outcomes.items()}
    claims = list(check_claims(outcomes, [one.difference for one in results]))
    about = _describe(time.monotonic() - started_at, time.process_time() - started_cpu)
    tables = format_tables(results, about)
    print(f"\n{tables}\n", *claims, sep="\n")
    if options.json:
        options.json.write_text(_encode(about, results, claims))
    if options.page:
        write_page(tables, options.page)
    broken = sum(not claim.ok for claim in claims)
    print(f"{len(claims)} claims, {broken} broken; {about['cpuSeconds']:.0f} s of CPU time")
    return int(broken > 0)


def _describe(seconds: float, cpu_seconds: float) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "seconds": round(seconds, 1),
        "cpuSeconds": round(cpu_seconds, 1),
    }


def _encode(about: dict[str, Any], results: list[Result], claims: list[Claim]) -> str:
    scenarios = [
        {
            "name": one.name,
            "title": one.title,
            "seed": one.seed,
            "difference": one.difference,
            "judges": {judge: encode(outcome) for judge, outcome in one.outcomes.items()},
        }
        for one in results
    ]
    rows = ",\n".join(json.dumps(one, ensure_ascii=False) for one in scenarios)
    lines = ",\n".join(json.dumps(str(claim), ensure_ascii=False) for claim in claims)
    return f'{{"about": {json.dumps(about)},\n"scenarios": [\n{rows}\n],\n"claims": [\n{lines}\n]}}\n'


def _parse_arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=RUNS, help=f"rollouts of each scenario (default: {RUNS})")
    arguments.add_argument(
        "--latency-runs", type=int, default=LATENCY_RUNS, help=f"rollouts of latency (default: {LATENCY_RUNS})"
    )
    arguments.add_argument("--json", type=Path, help="file for the counts, seeds and versions")
    arguments.add_argument("--page", type=Path, help="page whose tables are replaced")
    return arguments.parse_args()


if __name__ == "__main__":
    sys.exit(main())
