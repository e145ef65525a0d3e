"""Artifacts of `make release`: the same bytes in two clean clones, and what users verify and install."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.release.conftest import ROOT, Published
from tools.release.plan import IMAGE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

VERIFY = (ROOT / "docs/verify.md").read_text()
IDENTITY = re.compile(r" \\\n  --certificate-oidc-issuer \S+ \\\n  --certificate-identity \S+")


def hash_folder(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS.sigstore.json"
    }


def commands(section: str) -> str:
    """Return the commands of a section of docs/verify.md."""
    [block] = re.findall(rf"^## {section}$.*?^```\n(.*?)^```$", VERIFY, re.MULTILINE | re.DOTALL)[:1]
    return str(block)


def run_as_written(published: Published, section: str, key: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the commands of a section with the test's registry, and a key instead of the workflow's identity."""
    text, count = IDENTITY.subn(f" --key {key} --insecure-ignore-tlog", commands(section))
    assert count == text.count("cosign ")
    return published.run("sh", "-euc", published.replace_registry(text), cwd=folder)


def test_two_clean_clones_give_the_same_release(releases: tuple[Path, Path]) -> None:
    first, second = (hash_folder(folder) for folder in releases)

    assert first == second
    assert not any(name.startswith(".") for name in first), "GitHub's artifacts have no hidden files"
    assert {
        "SHA256SUMS",
        "chart/index.json",
        "image/index.json",
        "provenance.intoto.json",
        "release.json",
        "skywalking-bridge-linux-amd64",
        "skywalking-bridge-linux-arm64",
        "skywalking-bridge.spdx.json",
        "skywalking-provider-image-amd64.spdx.json",
        "skywalking-provider-wheel.spdx.json",
    } <= first.keys()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True)
    summary = json.loads((releases[0] / "release.json").read_text())
    assert (summary["commit"], summary["changed"]) == (head.stdout.strip(), False)


def test_wheel_has_the_condition_language_and_is_what_the_sdist_builds(
    releases: tuple[Path, Path], tmp_path: Path
) -> None:
    [wheel], [sdist] = releases[0].glob("*.whl"), releases[0].glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "wheels"], cwd=source, check=True
    )
    [rebuilt] = (tmp_path / "wheels").iterdir()

    files = [{one.filename: one.CRC for one in zipfile.ZipFile(path).infolist()} for path in (wheel, rebuilt)]
    assert "skywalking_provider/conditions/expr/expr.wasm" in files[0]
    assert files[0] == files[1]


def test_chart_of_the_registry_names_the_released_digests(published: Published) -> None:
    oci = f"oci://{published.reference('chart')}"
    values = ("--set=mode=deployment,tls.enabled=false,backends.prod.url=http://oap:12800",)
    text = published.succeed("helm", "template", "skywalking-provider", oci, "--plain-http", *values)
    # Helm prints what it has pulled before the objects.
    [deployment] = [one for one in yaml.safe_load_all(text) if one and one.get("kind") == "Deployment"]
    images = {one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]}
    assert images == {f"{IMAGE}@{published.summary()['image']['digest']}"}
    shown = yaml.safe_load(published.succeed("helm", "show", "values", oci, "--plain-http"))
    bridges = published.summary()["bridges"]
    assert shown["bridge"]["release"]["sha256"] == {
        f"linux-{arch}": bridges[f"linux/{arch}"]["sha256"] for arch in ("amd64", "arm64")
    }


def test_signatures_are_verified_as_docs_verify_says(published: Published, tmp_path: Path) -> None:
    key = published.keys / "cosign.pub"
    done = run_as_written(published, "Image and chart", key, tmp_path)

    assert done.returncode == 0, done.stderr
    verified = re.findall(r'"docker-manifest-digest":"([^"]+)"', done.stdout)
    assert verified == [published.summary()[artifact]["digest"] for artifact in ("image", "chart")]
    done = run_as_written(published, "Files", key, published.dist)
    assert done.returncode == 0, done.stderr
    assert "skywalking-bridge-linux-amd64: OK" in done.stdout


@pytest.mark.parametrize("section", ["Image and chart", "Files"])
def test_signature_of_another_key_is_rejected(published: Published, tmp_path: Path, section: str) -> None:
    published.succeed("cosign", "generate-key-pair", cwd=tmp_path)
    done = run_as_written(published, section, tmp_path / "cosign.pub", published.dist)

    assert done.returncode != 0
    assert re.search("invalid signature|no matching signatures", done.stderr), done.stderr


@pytest.mark.parametrize("artifact", ["image", "chart"])
def test_changed_artifact_is_rejected(published: Published, tmp_path: Path, artifact: str) -> None:
    layout = tmp_path / artifact
    shutil.copytree(published.dist / artifact, layout)
    change_manifest(layout)
    digest = published.push(layout, artifact, "changed")

    done = published.run(
        "cosign",
        "verify",
        f"--key={published.keys / 'cosign.pub'}",
        "--insecure-ignore-tlog",
        published.reference(artifact, digest),
    )
    assert done.returncode != 0
    assert "no signatures found" in done.stderr


def change_manifest(layout: Path) -> None:
    """Add an annotation to the manifest of a layout."""
    index = json.loads((layout / "index.json").read_text())
    [entry] = index["manifests"]
    blobs = layout / "blobs/sha256"
    manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    changed = json.dumps(manifest | {"annotations": {"changed": "yes"}}).encode()
    digest = hashlib.sha256(changed).hexdigest()
    (blobs / digest).write_bytes(changed)
    entry.update(digest=f"sha256:{digest}", size=len(changed))
    (layout / "index.json").write_text(json.dumps(index))


def test_changed_file_is_rejected_by_its_checksum(published: Published, tmp_path: Path) -> None:
    for name in ("SHA256SUMS", "SHA256SUMS.sigstore.json", "skywalking-bridge-linux-arm64"):
        shutil.copy(published.dist / name, tmp_path)
    with (tmp_path / "skywalking-bridge-linux-arm64").open("ab") as file:
        file.write(b"x")

    done = run_as_written(published, "Files", published.keys / "cosign.pub", tmp_path)
    assert done.returncode != 0
    assert "skywalking-bridge-linux-arm64: FAILED" in done.stdout


def test_bill_of_materials_lists_packages_of_each_kind(published: Published) -> None:
    listed = published.succeed("sh", "-euc", commands("Contents"), cwd=published.dist).splitlines()

    assert {line.partition("/")[0] for line in listed} == {"pkg:oci", "pkg:deb", "pkg:pypi", "pkg:golang"}
    assert any(line.startswith("pkg:golang/github.com/argoproj/argo-rollouts@") for line in listed)
    assert any(line.startswith("pkg:golang/github.com/expr-lang/expr@") for line in listed)
    assert any(line.startswith("pkg:pypi/aiohttp@") for line in listed)
    assert any(line.startswith("pkg:deb/debian/libc6@") for line in listed)


def test_bills_of_materials_are_valid_for_another_library(releases: tuple[Path, Path]) -> None:
    bills = sorted(releases[0].glob("*.spdx.json"))
    assert len(bills) == 3
    for path in bills:
        document = parse_file(str(path))
        assert validate_full_spdx_document(document) == []
        assert document.creation_info.spdx_version == "SPDX-2.3"
