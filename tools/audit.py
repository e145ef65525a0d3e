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
_SECONDS = 5
_TRIED = 2  # packages without an answer: then there is no database
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a check.

    Attributes:
        lines: For a person.
        vulnerable: Whether something that ships is.
        asked: Whether a database answered.
    """

    lines: tuple[str, ...]
    vulnerable: bool = False
    asked: bool = True


def main(root: Path = ROOT) -> int:
    """Check what is locked under a folder."""
    cache, key, now = root / _CACHE, _key(root), time.time()
    if (known := _read(cache)).get("key") == key and now < known.get("until", 0):
        print(*known["lines"], sep="\n")
        return 0
    outcomes = [python(root), *go(root)]
    lines = [line for outcome in outcomes for line in outcome.lines]
    print(*lines, sep="\n")
    if any(outcome.vulnerable for outcome in outcomes):
        return 1
    until = now + (_DAY if all(outcome.asked for outcome in outcomes) else _HOUR)
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps({"key": key, "until": until, "lines": lines}))
    return 0


def python(root: Path) -> Outcome:
    """The packages of both lock files; those of the tests and tools are told, and stop nobody."""
    ships = set(_PINNED.findall((root / "requirements/runtime.lock").read_text()))
    pinned = sorted(ships | set(_PINNED.findall((root / "requirements/dev.lock").read_text())))
    where = index()
    if all(_advisories(where, package) is None for package in sorted(ships)[:_TRIED]):
        return _unreachable("Python packages", where)
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip(pinned, pool.map(partial(_advisories, where), pinned), strict=True))
    silent = [name for (name, _), advisories in found.items() if advisories is None]
    lines = [f"{len(pinned) - len(silent)} Python packages looked up"]
    if silent:
        lines.append(f"NOT CHECKED, the index does not know them: {', '.join(silent)}")
    vulnerable = False
    for package, advisories in found.items():
        for advisory in advisories or ():
            vulnerable |= package in ships
            lines.append(f"{'VULNERABLE' if package in ships else 'vulnerable, not shipped'}: {advisory}")
    return Outcome(tuple(lines), vulnerable)


def go(root: Path) -> Iterator[Outcome]:
    """Each Go module of the repository; only what our code calls counts."""
    database = os.environ.get("GOVULNDB") or "https://vuln.go.dev"
    if not database.startswith("file:") and _get(f"{database}/index/db.json") is None:
        yield _unreachable("Go modules", database)
        return
    program = root / ".cache/bin/govulncheck"
    built = _run(["go", "install", GOVULNCHECK], root, {"GOBIN": str(program.parent)})
    if built.returncode != 0:
        yield Outcome((f"NOT CHECKED: Go modules: {_last(built)}",), asked=False)
        return
    for module in ("bridge", "expr"):
        check = partial(_govulncheck, program, root / module, database)
        # What a module has at all is seen in seconds, what of it is called in a minute.
        quick = check("module")
        yield check("symbol", "./...") if quick.vulnerable else quick


def _govulncheck(program: Path, module: Path, database: str, level: str, *packages: str) -> Outcome:
    wasm = {"GOOS": "wasip1", "GOARCH": "wasm"} if module.name == "expr" else {}  # there it has code at all
    done = _run([str(program), "-db", database, "-scan", level, *packages], module, wasm)
    match done.returncode:
        case 0:
            return Outcome((f"Go module {module.name}: nothing that it calls is known to be vulnerable",))
        case 3:
            return Outcome((f"VULNERABLE: Go module {module.name}", *done.stdout.splitlines()), vulnerable=True)
    return Outcome((f"NOT CHECKED, Go module {module.name}: {_last(done)}",), asked=False)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["no reason"])[-1][:200]


def index() -> str:
    """Where pip asks."""
    told = os.environ.get("PIP_INDEX_URL") or _pip("-m", "pip", "config", "get", "global.index-url")
    told = told or _pip("-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)")
    return told.rstrip("/").removesuffix("/simple")


def _pip(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _advisories(where: str, package: tuple[str, str]) -> list[str] | None:
    name, version = package
    if (answer := _get(f"{where}/pypi/{name}/{version}/json")) is None:
        return None
    return [
        f"{name} {version}: {one['id']} ({', '.join(one.get('aliases') or [])}), fixed in"
        f" {', '.join(one.get('fixed_in') or []) or 'no version'}: {' '.join((one.get('summary') or '').split())[:120]}"
        for one in answer.get("vulnerabilities") or []
        if not one.get("withdrawn") and not {one["id"], *(one.get("aliases") or [])} & set(ACCEPTED)
    ]


def _get(url: str) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the index that pip uses
            found = json.load(answer)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _unreachable(what: str, where: str) -> Outcome:
    return Outcome((f"NOT CHECKED: {what}: no vulnerability database answers at {_shown(where)}",), asked=False)


def _shown(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)  # an index may have credentials


def _key(root: Path) -> str:
    return _digest(root / name for name in ("requirements/dev.lock", "bridge/go.sum", "expr/go.sum", "tools/audit.py"))


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths if path.exists())).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known


if __name__ == "__main__":
    sys.exit(main())
