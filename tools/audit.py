"""Known vulnerabilities of what is locked: Python packages by the index that pip uses, Go modules by govulncheck.

A package index tells the advisories of a release (`/pypi/NAME/VERSION/json`); pip-audit asks the same, with twenty
packages more to trust. Where no database can be reached it says so, loudly, and is green: a check that needs the
internet must not stop who has none. What is green is asked again after a day.

Ends with 1 if a package that ships, or a Go function that we call, has a known vulnerability.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ACCEPTED: dict[str, str] = {}
"""Advisories that do not concern us, with the reason."""

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
ROOT = Path(__file__).parents[1]
_CACHE = ".cache/audit.json"
_DAY, _HOUR = 24 * 3600.0, 3600.0
_TIMEOUT_SECONDS = 5
_MAX_PROBES = 2  # packages without an answer: then there is no database
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What came of a check.

    Attributes:
        lines: For a person.
        vulnerable: Whether something that ships is.
        database_reached: Whether a database answered.
    """

    lines: tuple[str, ...]
    vulnerable: bool = False
    database_reached: bool = True


def main(root: Path = ROOT) -> int:
    """Check what is locked under a folder."""
    cache, key, now = root / _CACHE, _cache_key(root), time.time()
    if (known := _read_cache(cache)).get("key") == key and now < known.get("until", 0):
        print(*known["lines"], sep="\n")
        return 0
    outcomes = [check_python(root), *check_go(root)]
    lines = [line for outcome in outcomes for line in outcome.lines]
    print(*lines, sep="\n")
    if any(outcome.vulnerable for outcome in outcomes):
        return 1
    until = now + (_DAY if all(outcome.database_reached for outcome in outcomes) else _HOUR)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"key": key, "until": until, "lines": lines}))
    return 0


def check_python(root: Path) -> AuditResult:
    """The packages of both lock files; those of the tests and tools are told, and stop nobody."""
    ships = set(_PINNED.findall((root / "requirements/runtime.lock").read_text()))
    pinned = sorted(ships | set(_PINNED.findall((root / "requirements/dev.lock").read_text())))
    where = resolve_index_url()
    if all(_fetch_advisories(where, package) is None for package in sorted(ships)[:_MAX_PROBES]):
        return _unreachable_result("Python packages", where)
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(pinned, pool.map(partial(_fetch_advisories, where), pinned), strict=True))
    silent = [name for (name, _), advisories in found.items() if advisories is None]
    lines = [f"{len(pinned) - len(silent)} Python packages looked up"]
    if silent:
        lines.append(f"NOT CHECKED, the index does not know them: {', '.join(silent)}")
    vulnerable = False
    for package, advisories in found.items():
        for advisory in advisories or ():
            vulnerable |= package in ships
            lines.append(f"{'VULNERABLE' if package in ships else 'vulnerable, not shipped'}: {advisory}")
    return AuditResult(tuple(lines), vulnerable)


def check_go(root: Path) -> Iterator[AuditResult]:
    """Each Go module of the repository; only what our code calls counts."""
    database = os.environ.get("GOVULNDB") or "https://vuln.go.dev"
    if not database.startswith("file:") and _fetch_json(f"{database}/index/db.json") is None:
        yield _unreachable_result("Go modules", database)
        return
    program = root / ".cache/bin/govulncheck"
    built = _run_command(["go", "install", GOVULNCHECK], root, {"GOBIN": str(program.parent)})
    if built.returncode != 0:
        yield AuditResult((f"NOT CHECKED: Go modules: {_last_error_line(built)}",), database_reached=False)
        return
    for module in ("bridge", "expr"):
        check = partial(_run_govulncheck, program, root / module, database)
        # What a module has at all is seen in seconds, what of it is called in a minute.
        quick = check("module")
        yield check("symbol", "./...") if quick.vulnerable else quick


def _run_govulncheck(program: Path, module: Path, database: str, level: str, *packages: str) -> AuditResult:
    wasm = {"GOOS": "wasip1", "GOARCH": "wasm"} if module.name == "expr" else {}  # there it has code at all
    done = _run_command([str(program), "-db", database, "-scan", level, *packages], module, wasm)
    match done.returncode:
        case 0:
            return AuditResult((f"Go module {module.name}: nothing that it calls is known to be vulnerable",))
        case 3:
            return AuditResult((f"VULNERABLE: Go module {module.name}", *done.stdout.splitlines()), vulnerable=True)
    return AuditResult((f"NOT CHECKED, Go module {module.name}: {_last_error_line(done)}",), database_reached=False)


def _run_command(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def _last_error_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["no reason"])[-1][:200]


def resolve_index_url() -> str:
    """Where pip asks."""
    told = os.environ.get("PIP_INDEX_URL") or _run_pip("-m", "pip", "config", "get", "global.index-url")
    told = told or _run_pip("-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")
    return told.rstrip("/").removesuffix("/simple")


def _run_pip(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _fetch_advisories(index_url: str, package: tuple[str, str]) -> list[str] | None:
    name, version = package
    if (answer := _fetch_json(f"{index_url}/pypi/{name}/{version}/json")) is None:
        return None
    return [
        f"{name} {version}: {one['id']} ({', '.join(one.get('aliases') or [])}), fixed in"
        f" {', '.join(one.get('fixed_in') or []) or 'no version'}: {' '.join((one.get('summary') or '').split())[:120]}"
        for one in answer.get("vulnerabilities") or []
        if not one.get("withdrawn") and not {one["id"], *(one.get("aliases") or [])} & set(ACCEPTED)
    ]


def _fetch_json(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the index that pip uses
            found = json.load(answer)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _unreachable_result(subject: str, url: str) -> AuditResult:
    return AuditResult(
        (f"NOT CHECKED: {subject}: no vulnerability database answers at {_strip_credentials(url)}",),
        database_reached=False,
    )


def _strip_credentials(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)  # an index may have credentials


def _cache_key(root: Path) -> str:
    return _digest(root / name for name in ("requirements/dev.lock", "bridge/go.sum", "expr/go.sum", "tools/audit.py"))


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths if path.exists())).hexdigest()


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known


if __name__ == "__main__":
    sys.exit(main())
