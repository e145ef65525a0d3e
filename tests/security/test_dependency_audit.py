"""Dependency audit of `make lint`: vulnerabilities of locked packages, and packages that cannot be checked."""

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ADVISORY = {
    "id": "PYSEC-1",
    "aliases": ["CVE-1"],
    "fixed_in": ["1.1"],
    "summary": "remote  execution",
    "withdrawn": None,
}


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", Path(__file__).parents[2] / "tools/audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module  # dataclasses need the module in sys.modules
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Run a package index that returns 404 for unknown packages. `requested` has the paths."""
    releases: dict[str, Any] = {"requested": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            releases["requested"].append(self.path)
            found = releases.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"vulnerabilities": found or []}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
        monkeypatch.setenv("GOVULNDB", "http://127.0.0.1:9")
        yield releases
        server.shutdown()
        thread.join()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    lines = "shipped==1.0 ; python_version >= '3' \\\n    --hash=sha256:00\n"
    (tmp_path / "requirements/runtime.lock").write_text(lines)
    (tmp_path / "requirements/dev.lock").write_text(lines + "tool==2.0 \\\n    --hash=sha256:00\n")
    return tmp_path


def test_audit_without_vulnerabilities_passes_and_is_cached(
    audit: ModuleType, index: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index |= {"/pypi/shipped/1.0/json": [], "/pypi/tool/2.0/json": []}

    assert audit.main(root) == 0
    first, requests = capsys.readouterr().out, len(index["requested"])
    assert audit.main(root) == 0

    assert "2 Python packages looked up" in first
    assert "NOT CHECKED: Go modules: no vulnerability database reachable at http://127.0.0.1:9" in first
    assert capsys.readouterr().out == first
    assert len(index["requested"]) == requests


def test_audit_vulnerable_shipped_package_fails_every_time(
    audit: ModuleType, index: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index |= {"/pypi/shipped/1.0/json": [ADVISORY], "/pypi/tool/2.0/json": []}

    assert [audit.main(root), audit.main(root)] == [1, 1]
    assert "VULNERABLE: shipped 1.0: PYSEC-1 (CVE-1), fixed in 1.1: remote execution" in capsys.readouterr().out


def test_audit_vulnerable_tool_is_reported_without_failure(
    audit: ModuleType, index: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index |= {"/pypi/shipped/1.0/json": [], "/pypi/tool/2.0/json": [ADVISORY]}

    assert audit.main(root) == 0
    assert "vulnerable, not shipped: tool 2.0: PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize("exemption", ["withdrawn", "accepted"])
def test_audit_withdrawn_or_accepted_advisory_is_ignored(
    audit: ModuleType, index: dict[str, Any], root: Path, exemption: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index["/pypi/shipped/1.0/json"] = [ADVISORY | ({"withdrawn": "2026-01-01"} if exemption == "withdrawn" else {})]
    if exemption == "accepted":
        monkeypatch.setitem(audit.ACCEPTED, "CVE-1", "we do not call it")

    assert audit.main(root) == 0


def test_audit_unknown_package_is_reported(
    audit: ModuleType, index: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index["/pypi/shipped/1.0/json"] = []

    assert audit.main(root) == 0
    assert "NOT CHECKED, the index does not know them: tool" in capsys.readouterr().out


def test_audit_database_unreachable_is_reported_without_credentials(
    audit: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:pl4nted@127.0.0.1:9/simple")
    monkeypatch.setenv("GOVULNDB", "http://127.0.0.1:9")

    assert audit.main(root) == 0
    output = capsys.readouterr().out
    assert "NOT CHECKED: Python packages: no vulnerability database reachable at http://127.0.0.1:9" in output
    assert "pl4nted" not in output
