"""Environment of a release's build, and the digests that it reads."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.install.install_tools import ROOT
from tools.release.build import build_environment, read_digest, read_platform_digests


def test_environment_of_the_build_has_no_settings_of_the_user(tmp_path: Path) -> None:
    given = {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1"}
    given |= {"PYTHONPATH": "/x", "HELM_PLUGINS": "/x", "VIRTUAL_ENV": "/x", "PATH": "/usr/bin", "GOPROXY": "off"}
    given |= {
        "UV_NO_BUILD_ISOLATION": "1",
        "HATCH_BUILD_HOOKS_ENABLE": "1",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
    }
    environment = build_environment(given, 1_700_000_000, tmp_path)

    assert environment["TZ"] == "UTC"
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["SOURCE_DATE_EPOCH"] == "1700000000"
    assert environment["HELM_CONFIG_HOME"] == str(tmp_path / "helm")
    assert not {"LANG", "PYTHONPATH", "HELM_PLUGINS", "VIRTUAL_ENV"} & environment.keys()
    assert not {"UV_NO_BUILD_ISOLATION", "HATCH_BUILD_HOOKS_ENABLE"} & environment.keys()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert (environment["PATH"], environment["GOPROXY"]) == ("/usr/bin", "off")


@pytest.mark.parametrize("script", ["expr/build", "image/bridges"])
def test_go_builds_have_no_settings_of_the_user(tmp_path: Path, script: str) -> None:
    """Record the environment of `go`, which reads the user's file and go.work of a folder above unless both are off."""
    for name in (script, "bridge/go.mod", "skywalking_provider/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    go = tmp_path / "bin/go"
    go.parent.mkdir()
    go.write_text('#!/bin/sh\nenv > "$RECORD"\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n')
    go.chmod(0o755)
    given = {"PATH": f"{go.parent}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}
    given |= {"GOENV": "/x", "GOWORK": "/x", "GOFLAGS": "-tags=x", "GOFIPS140": "latest", "GOTOOLCHAIN": "local"}
    subprocess.run([tmp_path / script, tmp_path / "out"], env=os.environ | given, check=True)

    recorded = dict(line.split("=", 1) for line in (tmp_path / "record").read_text().splitlines() if "=" in line)
    expected = {"GOENV": "off", "GOWORK": "off", "GOFLAGS": "", "GOFIPS140": "off", "CGO_ENABLED": "0"}
    assert {name: recorded[name] for name in expected} == expected
    assert recorded["GOTOOLCHAIN"].startswith("go1.")


def test_digests_of_a_layout_are_those_of_its_index_and_platforms(tmp_path: Path) -> None:
    digests = {f"linux/{arch}": f"sha256:{arch}" for arch in ("amd64", "arm64")}
    entries = [
        {"digest": digest, "platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
        for platform, digest in digests.items()
    ]
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    (tmp_path / "blobs/sha256/abc").write_text(json.dumps({"manifests": entries}))
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:abc"}]}))

    assert read_digest(tmp_path) == "sha256:abc"
    assert read_platform_digests(tmp_path) == digests


def test_layout_with_several_entries_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:a"}, {"digest": "sha256:b"}]}))

    with pytest.raises(ValueError, match="too many values"):
        read_digest(tmp_path)
