"""Bills of materials that spdx writes."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.install.install_tools import ROOT

TOOL = ROOT / ".cache/bin/spdx"
PURL = "pkg:oci/example@sha256%3Aab?arch=amd64"
FLAGS = (
    "-version=1.2.3",
    f"-sha256={'ab' * 32}",
    "-purpose=CONTAINER",
    "-go=go1.26.10",
    "-repository=https://example.org/repository",
    "-epoch=1700000000",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """File system of an image with a Debian package and a Python distribution."""
    files = {
        "usr/lib/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="13"\n',
        "var/lib/dpkg/status.d/libssl3t64": (
            "Package: libssl3t64\nSource: openssl\nVersion: 1:3.5~rc1-1+deb13u1\nArchitecture: amd64\n"
            "Description: Secure Sockets Layer toolkit\n This package is\n .\n part of OpenSSL.\n"
        ),
        "usr/lib/python3/dist-packages/typing_extensions-4.0.dist-info/METADATA": (
            "Metadata-Version: 2.4\nName: Typing_Extensions\nVersion: 4.0\nLicense-Expression: PSF-2.0\n\n# README: x\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(text)
    return tmp_path / "root"


def run(*sources: str) -> subprocess.CompletedProcess[str]:
    assert TOOL.exists(), "spdx is not built. Run make .cache/bin/spdx."
    return subprocess.run([TOOL, *FLAGS, "example", PURL, *sources], capture_output=True, text=True, check=False)


def read(*sources: str) -> dict[str, Any]:
    done = run(*sources)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def get_purl(package: dict[str, Any]) -> str:
    [reference] = package["externalRefs"]
    return str(reference["referenceLocator"])


def test_bill_lists_what_an_image_has(root: Path) -> None:
    document = read(f"root:{root}")

    artifact, debian, python = document["packages"]
    assert get_purl(artifact) == PURL
    assert artifact["checksums"] == [{"algorithm": "SHA256", "checksumValue": "ab" * 32}]
    assert get_purl(debian) == "pkg:deb/debian/libssl3t64@1:3.5~rc1-1%2Bdeb13u1?arch=amd64&distro=debian-13"
    assert debian["sourceInfo"] == "built from the Debian source package openssl"
    assert get_purl(python) == "pkg:pypi/typing-extensions@4.0"
    assert python["licenseDeclared"] == "PSF-2.0"
    related = [(one["spdxElementId"], one["relationshipType"]) for one in document["relationships"]]
    assert related == [("SPDXRef-DOCUMENT", "DESCRIBES"), *[(artifact["SPDXID"], "CONTAINS")] * 2]


def test_bill_does_not_depend_on_the_folder_of_the_image(root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "opt/bridge/[1]/root"
    shutil.copytree(root, moved)

    assert read(f"root:{moved}") == read(f"root:{root}")


def test_bill_has_the_modules_of_programs_and_the_locked_distributions(tmp_path: Path) -> None:
    module, lock = tmp_path / "go.mod", tmp_path / "some.lock"
    module.write_text("module example.org/expr\n\ngo 1.24\n\nrequire example.org/expr/lang/v2 v2.0.1\n")
    lock.write_text("aiohttp==3.14.5 \\\n    --hash=sha256:00\ncolorama==0.4.6 ; sys_platform == 'win32' \\\n")
    document = read(f"module:{module}", f"lock:{lock}", f"program:{TOOL}")

    purls = {get_purl(package) for package in document["packages"]}
    assert {
        "pkg:golang/example.org/expr@1.2.3?arch=wasm&os=wasip1",
        "pkg:golang/example.org/expr/lang/v2@v2.0.1",
        "pkg:golang/stdlib@1.26.10",
        "pkg:pypi/aiohttp@3.14.5",
        "pkg:pypi/colorama@0.4.6",
    } <= purls
    assert any(purl.startswith("pkg:golang/github.com/spdx/tools-golang@v") for purl in purls)


def test_bill_is_valid_and_has_the_time_and_digest_of_the_artifact(root: Path, tmp_path: Path) -> None:
    sources = (f"root:{root}", f"module:{ROOT / 'expr/go.mod'}", f"program:{TOOL}")
    path = tmp_path / "bill.spdx.json"
    path.write_text(run(*sources).stdout)
    document = parse_file(str(path))

    assert validate_full_spdx_document(document) == []
    assert document.creation_info.document_namespace.endswith(f"/spdx/example-1.2.3-{'ab' * 32}")
    assert f"{document.creation_info.created:%Y-%m-%dT%H:%M:%S}" == "2023-11-14T22:13:20"
    assert run(*sources).stdout == path.read_text()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("wheel:x", 'source "wheel:x" is not root:, program:, module: or lock:'),
        ("program:/dev/null", "program:/dev/null is not readable: "),
    ],
)
def test_source_that_cannot_be_read_is_reported(source: str, message: str) -> None:
    done = run(source)

    assert done.returncode == 1
    assert message in done.stderr
