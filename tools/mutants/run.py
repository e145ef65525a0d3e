"""Mutation testing of the pure modules: `make mutants`, or `tools/mutants/run.py MODULE...` for some of them.

mutmut makes the mutants and runs the tests on them. This driver gives each module its own tests, leaves out modules
that did not change since their last run, and compares the survivors with the list of equivalent mutants.
`modules.toml` has the modules with their tests, `equivalent.toml` the equivalent mutants with the reasons. The results
file is written after each module, so that an interrupted run continues where it stopped.

mutmut works on a copy of the tree. It mutates the bodies of functions and methods. Functions with a decorator other
than `staticmethod` and `classmethod`, and statements outside of functions, stay as they are.
"""

import argparse
import os
import signal
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from module_run import ModuleRunError, digest, run_module
from results import Evaluation, Mutant, Score, evaluate, load_run, save, total

MODULES = Path(__file__).with_name("modules.toml")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
MIN_PERCENTAGE = 95.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the modules, print and write the results.

    Returns:
        1 if a module is below the minimum percentage or could not be run, or a listed equivalent mutant does not
        survive; else 0.
    """
    parser = argparse.ArgumentParser(description="Mutation testing of the pure modules.")
    parser.add_argument("modules", nargs="*", help="modules such as queries/series.py (default: all of modules.toml)")
    parser.add_argument("--rerun", action="store_true", help="also run modules that did not change")
    options = parser.parse_args(arguments)
    tests = load_tests()
    equivalent = load_equivalent_mutants()
    if unknown := (set(options.modules) | equivalent.keys()) - tests.keys():
        parser.error(f"{MODULES.name} does not have {', '.join(sorted(unknown))}. Add the module with its tests.")
    evaluations: list[Evaluation] = []
    failed = False
    for module in options.modules or tests:
        reasons = equivalent.get(module, {})
        try:
            saved = None if options.rerun else load_run(module, digest(module, tests[module]))
            evaluations.append(evaluate(saved or run_module(module, tests[module]), reasons))
        except ModuleRunError as error:
            failed = True
            print(error, flush=True)
            continue
        save(module, evaluations[-1], reasons, load_tests())  # again, because others may be added meanwhile
        print_evaluation(module, evaluations[-1])
    if evaluations:
        print_score("all", total(one.score for one in evaluations))
    return int(failed or any(one.stale or one.score.percentage < MIN_PERCENTAGE for one in evaluations))


def load_tests() -> dict[str, list[str]]:
    """Return the tests of each module."""
    return {one["path"]: one["tests"] for one in tomllib.loads(MODULES.read_text(encoding="utf-8"))["module"]}


def load_equivalent_mutants() -> dict[str, Mapping[Mutant, str]]:
    """Return the reasons of the equivalent mutants by module and mutant."""
    reasons: dict[str, dict[Mutant, str]] = {}
    for one in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]:
        for after in one["after"]:
            reasons.setdefault(one["module"], {})[Mutant(one["function"], one["before"], after)] = one["reason"]
    return dict(reasons)


def print_evaluation(module: str, evaluation: Evaluation) -> None:
    """Print the numbers of a module, its survivors, and the listed mutants that did not survive."""
    print_score(module, evaluation.score)
    for one in evaluation.survivors:
        print(f"    {one.function}\n      - {one.before}\n      + {one.after}", flush=True)
    for one in evaluation.stale:
        print(f"    {EQUIVALENT.name} lists a mutant that does not survive. Remove it: {one.function}: {one.after}")


def print_score(name: str, score: Score) -> None:
    """Print the numbers of a score in one line."""
    print(
        f"{name:34} {score.mutants:5} mutants {score.killed:5} killed {score.survived:4} survived"
        f" {score.equivalent:4} equivalent {score.percentage:6} % {score.seconds:8.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    os.nice(10)  # other work on the machine comes first
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that mutmut ends, too
    raise SystemExit(main())
