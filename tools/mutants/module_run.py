"""Run of mutmut on one module, in a workspace of its own."""

import ast
import hashlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from results import Mutant, Run

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "skywalking_provider"
CACHE = ROOT / ".cache" / "mutants"
CPU_LIMIT = Path(__file__).with_name("cpu_limit.py")
MAX_MODULE_SECONDS = 30 * 60

# Files that the tests read beside the package and themselves.
COPIED = ["docs", "proto", "examples", "bridge/internal/argohost"]
# Few examples per property, because a mutant that survives runs all tests of its function (tests/conftest.py). The
# limits of time are off: they would count the calls that mutmut adds, and the load of the machine.
PLUGINS_OFF = ("randomly", "cacheprovider", "tests.slow_callbacks")
PYTEST_ARGUMENTS = [
    *(f"-pno:{one}" for one in PLUGINS_OFF),
    f"-p{CPU_LIMIT.stem}",
    "-otimeout=0",
    "--hypothesis-profile=mutants",
]
# mutmut stops a mutant after the multiplier times (seconds of its tests + the constant) of the wall clock. That ends
# mutants that wait for ever. Those that compute for ever end by the limit of CPU time. The former is long, because the
# tests get a hundredth of a core beside a busy machine.
SETTINGS = f"""
[tool.mutmut]
source_paths = ["{PACKAGE}"]
also_copy = {json.dumps(COPIED)}
pytest_add_cli_args = {json.dumps(PYTEST_ARGUMENTS)}
timeout_constant = 5.0
timeout_multiplier = 20.0
use_git_change_detection = false
track_dependencies = false
"""
# Runs in the workspace, because mutmut prints the change of a mutant for people only, one mutant per process.
REPORT = """
import json, sys
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
ENDED_BY_CPU_LIMIT = -9
data = SourceFileMutationData(path=sys.argv[1])
data.load()
changes = []
for name, code in data.exit_code_by_key.items():
    status = "cpu limit" if code == ENDED_BY_CPU_LIMIT else status_by_exit_code[code]
    if status != "killed":
        changes.append((name, status, get_diff_for_mutant(name, path=data.path)))
json.dump({"mutants": len(data.exit_code_by_key), "changes": changes}, sys.stdout)
"""
STOPPED = ("timeout", "cpu limit")


class ModuleRunError(Exception):
    """mutmut did not end, or failed."""


def digest(module: str, tests: Sequence[str]) -> str:
    """Return the digest of a module, its tests with the helpers that they import, and the settings.

    A change of another module that the tests use does not count. `--rerun` runs all modules.
    """
    options = " ".join(one for one in tests if one.startswith("-") or "::" in one)
    versions = (importlib.metadata.version(name) for name in ("mutmut", "hypothesis"))
    state = hashlib.sha256(" ".join((*versions, *PYTEST_ARGUMENTS, options)).encode())
    paths = {ROOT / PACKAGE / module, CPU_LIMIT}
    for one in tests:
        if not one.startswith("-"):
            _add_with_helpers(ROOT / one.partition("::")[0], paths)
    for path in sorted(paths):
        state.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:32]


def _add_with_helpers(path: Path, paths: set[Path]) -> None:
    """Add a file of the tests, the files of the tests that it imports, and the `conftest.py` of its folders."""
    if path in paths or not path.is_file():
        return
    paths.add(path)
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.ImportFrom(module=str(name)) if name.startswith("tests."):
                imported = [name, *(f"{name}.{one.name}" for one in node.names)]  # a module, or a name in it
            case ast.Import():
                imported = [one.name for one in node.names if one.name.startswith("tests.")]
            case _:
                continue
        for name in imported:
            _add_with_helpers(ROOT / f"{name.replace('.', '/')}.py", paths)
    for folder in path.relative_to(ROOT).parents[:-1]:
        _add_with_helpers(ROOT / folder / "conftest.py", paths)


def run_module(module: str, tests: Sequence[str]) -> Run:
    """Make the mutants of a module and run its tests on each of them.

    Raises:
        ModuleRunError: mutmut failed, such as on tests that fail without a mutant.
    """
    key, started = digest(module, tests), time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(prefix="workspace-", dir=CACHE))
    try:
        for name in (PACKAGE, "tests", *COPIED):
            (workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (workspace / name).symlink_to(ROOT / name)
        path = f"{PACKAGE}/{module}"
        settings = f"only_mutate = {json.dumps([path])}\npytest_add_cli_args_test_selection = {json.dumps(tests)}\n"
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        (workspace / "pyproject.toml").write_text(project + SETTINGS + settings, encoding="utf-8")
        _run_mutmut(module, workspace, ())
        if timeouts := [name for name, status, _ in _read_report(workspace, path)["changes"] if status == "timeout"]:
            _run_mutmut(module, workspace, timeouts)  # once more: a machine that stands still reaches the limit, too
        report = _read_report(workspace, path)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    survivors = sorted(parse_mutant(name, diff) for name, status, diff in report["changes"] if status not in STOPPED)
    stopped = sorted(parse_mutant(name, diff) for name, status, diff in report["changes"] if status in STOPPED)
    return Run(key, round(time.monotonic() - started, 1), report["mutants"], tuple(survivors), tuple(stopped))


def _run_mutmut(module: str, workspace: Path, names: Iterable[str]) -> None:
    """Run mutmut on these mutants, on all without names. One process at a time, because a property may take a core."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *names]
    log = CACHE / f"{module.replace('/', '.')}.log"
    environment = os.environ | {"PYTHONPATH": str(CPU_LIMIT.parent)}
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=workspace, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = process.wait(MAX_MODULE_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also if the run is interrupted
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code is None:
        raise ModuleRunError(
            f"{module} takes more than {MAX_MODULE_SECONDS} s. Select fewer or quicker tests. See {log}."
        )
    if code:
        tail = log.read_text(encoding="utf-8")[-3000:]
        raise ModuleRunError(f"{tail}\nmutmut failed on {module}: exit code {code}. See {log}.")


def _read_report(workspace: Path, path: str) -> dict:
    command = [sys.executable, "-c", REPORT, path]
    return json.loads(subprocess.run(command, cwd=workspace, check=True, stdout=subprocess.PIPE).stdout)


def parse_mutant(name: str, diff: str) -> Mutant:
    """Return the mutant with a name such as `package.module.xǁClassǁmethod__mutmut_3` and its diff."""
    function = name.rpartition(".")[2].partition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ")
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutant(function.replace("ǁ", "."), before, after)
