"""Acceptance of `backtest` on a real OAP 10.1 with eight hours of generated history. Exit code 1 if it fails.

`lab/build.sh oap` builds the OAP. It takes about two minutes.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from bench.backtest_history.acceptance import SPLITS, Acceptance, run_acceptance
from bench.backtest_history.oap import ROOT


def main() -> int:
    """Run the acceptance."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--splits", type=int, default=SPLITS, help=f"A/A runs of each setting (default: {SPLITS})")
    arguments.add_argument("--json", type=Path, help="file for the rates")
    options = arguments.parse_args()
    started_at = time.monotonic()

    def report(line: str) -> None:
        print(f"==> {time.monotonic() - started_at:5.1f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        acceptance = run_acceptance(Path(folder), ROOT / ".cache/lab", report, options.splits)
    print("\n".join(format_acceptance(acceptance)))
    if options.json:
        options.json.write_text(json.dumps(encode(acceptance), indent=2) + "\n")
    return int(not acceptance.holds)


def format_acceptance(acceptance: Acceptance) -> list[str]:
    """Return the lines of the result."""
    lines = [f"bad deploy and only it found: {acceptance.finds_the_bad_deploy_only}"]
    lines += [
        "| A/A runs with | backtest on the OAP | runs that differ from the simulation's judge | simulation | agrees |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.setting.name} | {one.measured:.2%} of {one.runs} | {one.differing}"
        f" | {one.expected:.2%} ± {one.error:.2%} | {'yes' if one.holds else 'NO'} |"
        for one in acceptance.agreements
    ]
    return lines


def encode(acceptance: Acceptance) -> dict[str, object]:
    """Return the result as JSON."""
    return {
        "calls": acceptance.calls,
        "aborted": acceptance.aborted,
        "promoted": acceptance.promoted,
        "agreements": [
            {
                "setting": one.setting.name,
                "measured": one.measured,
                "runs": one.runs,
                "differing": one.differing,
                "expected": one.expected,
                "error": one.error,
                "holds": one.holds,
            }
            for one in acceptance.agreements
        ],
        "holds": acceptance.holds,
    }


if __name__ == "__main__":
    sys.exit(main())
