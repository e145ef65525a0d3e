"""Check of the locked dependencies for known vulnerabilities.

Python packages are looked up in the index that pip uses (`/pypi/NAME/VERSION/json`). pip-audit would send the same
requests with twenty more packages. Go modules are checked by govulncheck.

If no database can be reached, the check prints NOT CHECKED and passes: it must not fail without internet access.
A passed check is cached for a day, an incomplete one for an hour.

The exit code is 1 if a shipped package, or a Go function that the code calls, has a known vulnerability.
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
"""Reasons by advisory: advisories that do not apply to this project."""

GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
ROOT = Path(__file__).parents[1]
_CACHE = ".cache/audit.json"
_DAY, _HOUR = 24 * 3600.0, 3600.0
_TIMEOUT_SECONDS = 5
_MAX_PROBES = 2  # packages without a response: the index has no database then
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Result of a check.

    Attributes:
        lines: Lines of the report.
        vulnerable: Whether a shipped dependency is vulnerable.
        database_reached: Whether the database was reached.
    """

    lines: tuple[str, ...]
    vulnerable: bool = False
    database_reached: bool = True


def main(root: Path = ROOT) -> int:
    """Check the lock files under a folder; return 1 if a shipped dependency is vulnerable."""
    cache, key, now = root / _CACHE, _cache_key(root), time.time()
    if (cached := _read_cache(cache)).get("key") == key and now < cached.get("until", 0):
        print(*cached["lines"], sep="\n")
        return 0
    results = [check_python(root), *check_go(root)]
    lines = [line for result in results for line in result.lines]
    print(*lines, sep="\n")
    if any(result.vulnerable for result in results):
        return 1
    until = now + (_DAY if all(result.database_reached for result in results) else _HOUR)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"key": key, "until": until, "lines": lines}))
    return 0


def check_python(root: Path) -> AuditResult:
    """Check the packages of all lock files. A vulnerable package that is not shipped is only reported."""
    shipped = set(_PINNED.findall((root / "requirements/runtime.lock").read_text()))
    locks = (root / "requirements").glob("*.lock")
    pinned = sorted({package for lock in locks for package in _PINNED.findall(lock.read_text())})
    index_url = resolve_index_url()
    if all(_fetch_advisories(index_url, package) is None for package in sorted(shipped)[:_MAX_PROBES]):
        return _unreachable_result("Python packages", index_url)
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(pinned, pool.map(partial(_fetch_advisories, index_url), pinned), strict=True))
    unknown = [name for (name, _), advisories in found.items() if advisories is None]
    lines = [f"{len(pinned) - len(unknown)} Python packages looked up"]
    if unknown:
        lines.append(f"NOT CHECKED, the index does not know them: {', '.join(unknown)}")
    vulnerable = False
    for package, advisories in found.items():
        for advisory in advisories or ():
            vulnerable |= package in shipped
            lines.append(f"{'VULNERABLE' if package in shipped else 'vulnerable, not shipped'}: {advisory}")
    return AuditResult(tuple(lines), vulnerable)


def check_go(root: Path) -> Iterator[AuditResult]:
    """Check each Go module. Only a vulnerable function that the code calls counts."""
    database = os.environ.get("GOVULNDB") or "https://vuln.go.dev"
    if not database.startswith("file:") and _fetch_json(f"{database}/index/db.json") is None:
        yield _unreachable_result("Go modules", database)
        return
    program = root / ".cache/bin/govulncheck"
    build = _run_command(["go", "install", GOVULNCHECK], root, {"GOBIN": str(program.parent)})
    if build.returncode != 0:
        yield AuditResult((f"NOT CHECKED: Go modules: {_last_error_line(build)}",), database_reached=False)
        return
    for module in ("bridge", "expr"):
        check = partial(_run_govulncheck, program, root / module, database)
        # The list of modules is checked in seconds, the call graph in a minute.
        by_module = check("module")
        yield check("symbol", "./...") if by_module.vulnerable else by_module


def _run_govulncheck(program: Path, module: Path, database: str, level: str, *packages: str) -> AuditResult:
    wasm = {"GOOS": "wasip1", "GOARCH": "wasm"} if module.name == "expr" else {}  # all its code is for this platform
    done = _run_command([str(program), "-db", database, "-scan", level, *packages], module, wasm)
    match done.returncode:
        case 0:
            return AuditResult((f"Go module {module.name}: no known vulnerability in the functions that it calls",))
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
    """Return the base URL of the package index that pip uses."""
    url = os.environ.get("PIP_INDEX_URL") or _run_pip("-m", "pip", "config", "get", "global.index-url")
    url = url or _run_pip("-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")
    return url.rstrip("/").removesuffix("/simple")


def _run_pip(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _fetch_advisories(index_url: str, package: tuple[str, str]) -> list[str] | None:
    name, version = package
    if (release := _fetch_json(f"{index_url}/pypi/{name}/{version}/json")) is None:
        return None
    return [
        f"{name} {version}: {one['id']} ({', '.join(one.get('aliases') or [])}), fixed in"
        f" {', '.join(one.get('fixed_in') or []) or 'no version'}: {' '.join((one.get('summary') or '').split())[:120]}"
        for one in release.get("vulnerabilities") or []
        if not one.get("withdrawn") and not {one["id"], *(one.get("aliases") or [])} & set(ACCEPTED)
    ]


def _fetch_json(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the index that pip uses
            content = json.load(response)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _unreachable_result(subject: str, url: str) -> AuditResult:
    return AuditResult(
        (f"NOT CHECKED: {subject}: no vulnerability database reachable at {_strip_credentials(url)}",),
        database_reached=False,
    )


def _strip_credentials(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)  # the URL of an index may contain credentials


def _cache_key(root: Path) -> str:
    return _digest(root / name for name in ("requirements/dev.lock", "bridge/go.sum", "expr/go.sum", "tools/audit.py"))


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths if path.exists())).hexdigest()


def _read_cache(path: Path) -> dict[str, Any]:
    try:
        cached: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return cached


if __name__ == "__main__":
    sys.exit(main())
