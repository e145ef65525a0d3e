"""Mutation testing of the pure modules: `make mutants`, or `tools/mutants/run.py MODULE...` for some of them.

mutmut makes the mutants and runs the tests on them. This driver gives each module its own tests, leaves out modules
that did not change since their last run, and compares the survivors with the list of equivalent mutants.
`modules.toml` has the modules with their tests, `equivalent.toml` the equivalent mutants with the reasons.

mutmut works on a copy of the tree. It mutates the bodies of functions and methods. Functions with a decorator other
than `staticmethod` and `classmethod`, and statements outside of functions, stay as they are.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "skywalking_provider"
MODULES = Path(__file__).with_name("modules.toml")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
CACHE = ROOT / ".cache" / "mutants"
RESULTS = ROOT / "bench" / "results" / "mutants.json"
MIN_PERCENTAGE = 95.0

# Files that the tests read beside the package and themselves.
COPIED = ["docs", "proto", "examples", "bridge/internal/argohost"]
# Few examples per property, because a mutant that survives runs all tests of its function (tests/conftest.py). The
# limits of time are off: they would count the calls that mutmut adds, and the load of the machine.
PLUGINS_OFF = ("randomly", "cacheprovider", "tests.slow_callbacks")
PYTEST_ARGUMENTS = [*(f"-pno:{one}" for one in PLUGINS_OFF), "-otimeout=0", "--hypothesis-profile=mutants"]
# The time limit of a mutant, which ends endless loops, is the multiplier times (seconds of its tests + the constant).
SETTINGS = f"""
[tool.mutmut]
source_paths = ["{PACKAGE}"]
also_copy = {json.dumps(COPIED)}
pytest_add_cli_args = {json.dumps(PYTEST_ARGUMENTS)}
timeout_constant = 1.0
timeout_multiplier = 8.0
use_git_change_detection = false
track_dependencies = false
"""
# Runs in the workspace, because mutmut prints the change of a mutant for people only, one mutant per process.
REPORT = """
import json, sys
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
data = SourceFileMutationData(path=sys.argv[1])
data.load()
statuses = {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}
changes = [(name, one, get_diff_for_mutant(name, path=data.path)) for name, one in statuses.items() if one != "killed"]
json.dump({"mutants": len(statuses), "changes": changes}, sys.stdout)
"""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A mutant, identified by its change: mutmut's numbers move with the code.

    Attributes:
        function: Function or method, such as `Window.buckets`.
        before: Changed lines of the original, without indentation.
        after: Lines of the mutant.
    """

    function: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Run:
    """Result of the last run of a module.

    Attributes:
        key: Digest of everything that the result depends on.
        seconds: Duration of the run.
        mutants: Number of mutants.
        survivors: Mutants that no test killed, those without a test included.
        timeouts: Mutants that the time limit stopped. They count as killed.
    """

    key: str
    seconds: float
    mutants: int
    survivors: tuple[Mutant, ...]
    timeouts: tuple[Mutant, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Numbers of mutants of a module. Equivalent ones count neither as killed nor as survived."""

    mutants: int
    killed: int
    survived: int
    equivalent: int
    seconds: float

    @property
    def percentage(self) -> float:
        """Killed mutants of those that are not equivalent."""
        countable = self.killed + self.survived
        return round(100 * self.killed / countable, 1) if countable else 100.0


def main(arguments: list[str]) -> int:
    """Run the modules, print and write the results, and return 1 if a module is below the minimum percentage."""
    parser = argparse.ArgumentParser(description="Mutation testing of the pure modules.")
    parser.add_argument("modules", nargs="*", help="modules such as queries/series.py (default: all of modules.toml)")
    parser.add_argument("--rerun", action="store_true", help="also run modules that did not change")
    options = parser.parse_args(arguments)
    all_tests = {one["path"]: one["tests"] for one in tomllib.loads(MODULES.read_text(encoding="utf-8"))["module"]}
    if unknown := set(options.modules) - all_tests.keys():
        parser.error(f"{MODULES.name} does not have {', '.join(sorted(unknown))}. Add the module with its tests.")
    equivalent = load_equivalent_mutants()
    scores: dict[str, Score] = {}
    details: dict[str, dict[str, object]] = {}
    for module in options.modules or all_tests:
        run = (None if options.rerun else load_run(module, all_tests[module])) or run_module(module, all_tests[module])
        reasons = equivalent.get(module, {})
        survivors = [one for one in run.survivors if one not in reasons]
        listed = [one for one in run.survivors if one in reasons]
        killed = run.mutants - len(run.survivors)
        scores[module] = Score(run.mutants, killed, len(survivors), len(listed), run.seconds)
        print_score(module, scores[module])
        for one in survivors:
            print(f"    {one.function}\n      - {one.before}\n      + {one.after}")
        for one in reasons.keys() - set(listed):
            print(f"    {EQUIVALENT.name} has one that does not survive. Remove it: {one.function}: {one.after}")
        details[module] = score_report(scores[module]) | {
            "survivors": [asdict(one) for one in survivors],
            "equivalents": [asdict(one) | {"reason": reasons[one]} for one in listed],
            "stopped_by_time_limit": [asdict(one) for one in run.timeouts],
        }
    total = Score(*(sum(column) for column in zip(*(astuple(one) for one in scores.values()), strict=True)))
    print_score("all", total)
    if not options.modules:
        report = {"about": about(), "all": score_report(total), "modules": details}
        RESULTS.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if all(one.percentage >= MIN_PERCENTAGE for one in scores.values()) else 1


def load_equivalent_mutants() -> dict[str, dict[Mutant, str]]:
    """Return the reasons of the equivalent mutants by module and mutant."""
    reasons: dict[str, dict[Mutant, str]] = {}
    for one in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]:
        for after in one["after"]:
            reasons.setdefault(one["module"], {})[Mutant(one["function"], one["before"], after)] = one["reason"]
    return reasons


def load_run(module: str, tests: list[str]) -> Run | None:
    """Return the last run of a module; None if its source, its tests or the settings changed since."""
    path = cache_file(module)
    if not path.exists():
        return None
    saved = json.loads(path.read_text(encoding="utf-8"))
    mutants = {name: tuple(Mutant(**one) for one in saved[name]) for name in ("survivors", "timeouts")}
    return Run(**saved | mutants) if saved["key"] == digest(module, tests) else None


def cache_file(module: str) -> Path:
    """Return the file with the last run of a module."""
    return CACHE / (module.replace("/", ".") + ".json")


def digest(module: str, tests: list[str]) -> str:
    """Return the digest of a module, its tests with the helpers in their folders and those above, and the settings.

    A change of another module that the tests use does not count. `--rerun` runs all modules.
    """
    options = "".join(one for one in tests if one.startswith("-"))
    files = [one for one in tests if not one.startswith("-")]
    state = hashlib.sha256(f"{importlib.metadata.version('mutmut')} {SETTINGS}{options}".encode())
    folders = {folder for test in files for folder in Path(test).parents[:-1]}  # up to tests/
    helpers = (one for folder in folders for one in (ROOT / folder).glob("*.py") if not one.name.startswith("test_"))
    paths = {ROOT / PACKAGE / module, *(ROOT / test for test in files), *helpers}
    for path in sorted(paths):
        state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return state.hexdigest()


def run_module(module: str, tests: list[str]) -> Run:
    """Make the mutants of a module, run its tests on each of them, and save the result."""
    key, started = digest(module, tests), time.monotonic()
    workspace = CACHE / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir(parents=True)
    for name in (PACKAGE, "tests", *COPIED):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).symlink_to(ROOT / name)
    path = f"{PACKAGE}/{module}"
    settings = f"only_mutate = {json.dumps([path])}\npytest_add_cli_args_test_selection = {json.dumps(tests)}\n"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (workspace / "pyproject.toml").write_text(project + SETTINGS + settings, encoding="utf-8")
    # One process at a time, because a property may take all of a processor.
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1"]
    with (CACHE / "mutmut.log").open("w", encoding="utf-8") as log:
        ended = subprocess.run(command, cwd=workspace, stdout=log, stderr=log, check=False)
    if ended.returncode:
        tail = Path(log.name).read_text(encoding="utf-8")[-3000:]
        raise SystemExit(f"{tail}\nmutmut failed on {module}: exit code {ended.returncode}. See {log.name}.")
    command = [sys.executable, "-c", REPORT, path]
    report = json.loads(subprocess.run(command, cwd=workspace, check=True, stdout=subprocess.PIPE).stdout)
    survivors = sorted(parse_mutant(name, diff) for name, status, diff in report["changes"] if status != "timeout")
    timeouts = sorted(parse_mutant(name, diff) for name, status, diff in report["changes"] if status == "timeout")
    run = Run(key, round(time.monotonic() - started, 1), report["mutants"], tuple(survivors), tuple(timeouts))
    cache_file(module).write_text(json.dumps(asdict(run), indent=1), encoding="utf-8")
    return run


def parse_mutant(name: str, diff: str) -> Mutant:
    """Return the mutant with a name such as `package.module.xǁClassǁmethod__mutmut_3` and its diff."""
    function = name.rpartition(".")[2].partition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ")
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutant(function.replace("ǁ", "."), before, after)


def about() -> dict[str, str]:
    """Return the versions that the results depend on."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    tools = {name: importlib.metadata.version(name) for name in ("mutmut", "hypothesis")}
    return {"commit": commit.stdout.decode().strip(), "python": sys.version.split()[0]} | tools


def score_report(score: Score) -> dict[str, object]:
    """Return the numbers of a score for the results file."""
    return asdict(score) | {"percentage": score.percentage}


def print_score(name: str, score: Score) -> None:
    """Print the numbers of a score in one line."""
    print(
        f"{name:34} {score.mutants:5} mutants {score.killed:5} killed {score.survived:4} survived"
        f" {score.equivalent:4} equivalent {score.percentage:6} % {score.seconds:8.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    os.nice(10)  # other work on the machine comes first
    raise SystemExit(main(sys.argv[1:]))
