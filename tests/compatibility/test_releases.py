"""The check of `make lint` against the last release, in a Git repository with a tag."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.errors import Reason
from tools.compatibility.__main__ import main
from tools.compatibility.published import PATH, build_published
from tools.compatibility.releases import Version, find_last_release, may_be_incompatible

ROOT = Path(__file__).parents[2]
BLOCK, VALUES = "docs/block.schema.json", "charts/skywalking-provider/values.schema.json"
PROTO = "proto/metricprovider/v1/metric_provider.proto"
FIELD = "string success_condition = 2;"
FILES = [BLOCK, VALUES, PATH, PROTO, "proto/buf.yaml", "proto/skywalking/v3/event.proto"]


def git(root: Path, *arguments: str) -> None:
    author = {
        f"GIT_{role}_{key}": f"{key}@example.org" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *arguments], cwd=root, env=os.environ | author | settings, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository whose only commit is the release v0.1.0."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    set_version(tmp_path, "0.1.0")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "release")
    git(tmp_path, "tag", "v0.1.0")
    return tmp_path


def set_version(root: Path, version: str) -> None:
    (root / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')


def change_json(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        content = json.loads((root / name).read_text())
        change(content)
        (root / name).write_text(json.dumps(content))

    return apply


def change_text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return apply


MEASUREMENTS = "skywalking_analysis_measurements_total"
INCOMPATIBLE = {
    "field of the contract": (change_text(PROTO, FIELD, FIELD.replace("2", "90")), 'Previously present field "2"'),
    "key of the block": (
        change_json(BLOCK, lambda new: new["$defs"]["IndicatorSpec"]["properties"].pop("window")),
        f"{BLOCK}: /window: the key was removed",
    ),
    "value of the chart": (
        change_json(VALUES, lambda new: new.update(required=["image"])),
        f"{VALUES}: /: the key image is required now",
    ),
    "schema": (lambda root: (root / BLOCK).unlink(), f"{BLOCK}: the file was removed"),
    "reason code": (
        change_json(PATH, lambda new: new["reasonCodes"].remove("NO_DATA")),
        "reason code NO_DATA was removed",
    ),
    "metric": (
        change_json(PATH, lambda new: new["metrics"].pop(MEASUREMENTS)),
        f"metric {MEASUREMENTS} was removed",
    ),
    "label": (
        change_json(PATH, lambda new: new["metrics"][MEASUREMENTS].remove("reason")),
        f"label reason of metric {MEASUREMENTS} was removed",
    ),
    "key of the configuration": (
        change_json(PATH, lambda new: new["configuration"]["$defs"]["BackendConfig"]["properties"].pop("retries")),
        "configuration /backends/*/retries: the key was removed",
    ),
}
COMPATIBLE = {
    "nothing": lambda _: None,
    "field of the contract": change_text(PROTO, FIELD, f"{FIELD}\n  // New field.\n  string added = 90;"),
    "key of the block": change_json(
        BLOCK, lambda new: new["$defs"]["IndicatorSpec"]["properties"].update(added={"type": "string"})
    ),
    "value of the chart": change_json(VALUES, lambda new: new["properties"].update(added={"type": "boolean"})),
    "reason code": change_json(PATH, lambda new: new["reasonCodes"].append("ADDED")),
    "metric": change_json(PATH, lambda new: new["metrics"].update(added=[])),
    "key of the configuration": change_json(
        PATH, lambda new: new["configuration"]["properties"].update(added={"type": "string"})
    ),
}


@pytest.mark.parametrize(("change", "line"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_incompatible_change_since_the_last_release_is_rejected(
    clone: Path, change: Callable[[Path], None], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(clone)
    assert main(clone) == 1
    [report, advice] = capsys.readouterr().out.splitlines()
    assert report.startswith("INCOMPATIBLE: ")
    assert line in report
    assert advice.startswith("Version 0.1.0 must stay compatible with the release v0.1.0. ")


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_addition_since_the_last_release_is_accepted(
    clone: Path, change: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    change(clone)
    assert main(clone) == 0
    assert capsys.readouterr().out == "compatible with the release v0.1.0\n"


def test_incompatible_change_with_the_next_minor_version_before_1_0_is_reported(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    INCOMPATIBLE["reason code"][0](clone)
    set_version(clone, "0.2.0")
    assert main(clone) == 0
    assert capsys.readouterr().out == "incompatible: reason code NO_DATA was removed\n"


def test_accepted_line_is_not_reported_and_an_unused_one_is_rejected(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = {"reason code NO_DATA was removed": "a test"}
    assert main(clone, accepted) == 1
    assert "ACCEPTED has a line that the check does not report" in capsys.readouterr().out
    INCOMPATIBLE["reason code"][0](clone)
    assert main(clone, accepted) == 0


def test_repository_before_the_first_release_passes_with_one_line(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "tag", "--delete", "v0.1.0")
    git(clone, "tag", "v0.1.0-rc.1")
    INCOMPATIBLE["reason code"][0](clone)
    assert main(clone) == 0
    assert capsys.readouterr().out == "no release yet: nothing published to compare with\n"


def test_last_release_is_the_highest_version_of_the_history(clone: Path) -> None:
    for number, version in enumerate(["0.9.0", "0.10.0", "0.10.1-rc.1"]):
        git(clone, "commit", "--quiet", "--allow-empty", "--message", f"release {number}")
        git(clone, "tag", f"v{version}")
    git(clone, "checkout", "--quiet", "-b", "later")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "on another branch")
    git(clone, "tag", "v0.11.0")
    git(clone, "checkout", "--quiet", "-")
    assert find_last_release(clone) == Version(0, 10, 0)


@pytest.mark.parametrize(
    ("last", "following", "permitted"),
    [
        ((0, 1, 0), (0, 1, 1), False),
        ((0, 1, 0), (0, 2, 0), True),
        ((0, 9, 0), (1, 0, 0), True),
        ((1, 2, 0), (1, 3, 0), False),
        ((1, 2, 0), (2, 0, 0), True),
    ],
)
def test_semver_permits_incompatible_changes(
    last: tuple[int, int, int], following: tuple[int, int, int], *, permitted: bool
) -> None:
    assert may_be_incompatible(Version(*last), Version(*following)) is permitted


def test_folder_without_git_is_an_error_that_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Run the check in a Git clone\.$"):
        find_last_release(tmp_path)


def test_published_names_are_current() -> None:
    committed = json.loads((ROOT / PATH).read_text())
    assert committed == build_published((ROOT / "docs/reasons.md").read_text()), (
        "Renew it: .venv/bin/python -m tools.compatibility --write"
    )
    assert set(Reason) < set(committed["reasonCodes"])
    assert "BRIDGE_INTERNAL" in committed["reasonCodes"]
