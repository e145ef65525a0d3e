"""Workflows of .github: actionlint, digests of actions, permissions and the folders of dependency updates."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = ROOT / ".cache/bin/actionlint"
USES = re.compile(r"^\s*-?\s*uses: (.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def run_actionlint(root: Path) -> subprocess.CompletedProcess[str]:
    assert ACTIONLINT.exists(), "actionlint is not built. Run make .cache/bin/actionlint."
    return subprocess.run([ACTIONLINT], cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: ${{ matrix.stage }}", "name: ${{ matrix.stages }}", 'property "stages" is not defined'),
        ("timeout-minutes", "timeout-minute", 'unexpected key "timeout-minute"'),
        ("contents: read", "contents: reads", '"reads" is invalid as permission of scope "contents"'),
    ],
)
def test_mistake_in_a_workflow_is_rejected_by_actionlint(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = tmp_path / ".github/workflows"
    shutil.copytree(ROOT / ".github/workflows", folder)
    (tmp_path / ".git").mkdir()
    assert run_actionlint(tmp_path).returncode == 0
    text = (folder / "test.yml").read_text()
    assert old in text
    (folder / "test.yml").write_text(text.replace(old, new))
    rejected = run_actionlint(tmp_path)
    assert rejected.returncode == 1
    assert message in rejected.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_digest_with_its_version(path: Path) -> None:
    used = USES.findall(path.read_text())
    assert used
    assert [one for one in used if not PINNED.fullmatch(one)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_job_has_its_own_permissions_and_a_time_limit(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "contents" in job["permissions"]
        assert job["timeout-minutes"] <= 120


def test_end_to_end_tests_run_as_root() -> None:
    """Check what test_image.py and tests/release need: image/root ends without root."""
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["stage"]["steps"]
    assert 'sudo env "PATH=$PATH" "HOME=$HOME" make e2e' in steps[-1]["run"]


def read_release() -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    return workflow


def test_release_starts_with_tags_of_versions_only() -> None:
    workflow = read_release()
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as a boolean
    assert workflow["concurrency"] == {"group": "release", "cancel-in-progress": False}


def test_release_builds_with_read_access_and_publishes_without_building() -> None:
    build, publish = (read_release()["jobs"][name] for name in ("build", "publish"))
    assert build["permissions"] == {"contents": "read"}
    assert len(build["strategy"]["matrix"]["runner"]) == 2
    assert publish["needs"] == "build"
    assert "make release" in str(build["steps"])
    assert "make release" not in str(publish["steps"])


def test_release_compares_the_builds_before_anything_is_published() -> None:
    steps = [step.get("run", step.get("uses", "")) for step in read_release()["jobs"]["publish"]["steps"]]

    def find(text: str) -> int:
        [place] = [place for place, step in enumerate(steps) if text in step]
        return place

    runners = read_release()["jobs"]["build"]["strategy"]["matrix"]["runner"]
    compared = find(f"diff --recursive built/{runners[0]} built/{runners[1]}")
    assert compared < find("crane push") < find("cosign sign --yes") < find("gh release create")


def test_release_keeps_nothing_of_other_runs() -> None:
    for job in read_release()["jobs"].values():
        for step in job["steps"]:
            if "setup-go" in step.get("uses", ""):
                assert step["with"]["cache"] is False
            assert "cache" not in step.get("uses", "")


def test_signatures_have_the_identity_of_the_release_workflow() -> None:
    path = ".github/workflows/release.yml"
    identity = f"https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking/{path}@refs/tags/v"
    assert (ROOT / path).exists()
    assert (ROOT / "docs/verify.md").read_text().count(f"--certificate-identity {identity}") == 3


def test_dependency_updates_contain_each_go_module() -> None:
    updates: list[dict[str, Any]] = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "gomod", "github-actions", "docker"}
    patterns = [pattern for update in updates for pattern in update.get("directories", [])]
    modules = subprocess.run(["git", "ls-files", "*go.mod"], cwd=ROOT, capture_output=True, text=True, check=True)
    for module in modules.stdout.splitlines():
        folder = Path("/", module).parent
        assert any(folder.match(pattern) for pattern in patterns), f"dependabot.yml lacks {folder}"
