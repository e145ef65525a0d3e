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
        ("matrix.stage }}\n    runs-on", "matrix.stages }}\n    runs-on", 'property "stages" is not defined'),
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


def test_dependency_updates_contain_each_go_module() -> None:
    updates: list[dict[str, Any]] = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "gomod", "github-actions", "docker"}
    patterns = [pattern for update in updates for pattern in update.get("directories", [])]
    modules = subprocess.run(["git", "ls-files", "*go.mod"], cwd=ROOT, capture_output=True, text=True, check=True)
    for module in modules.stdout.splitlines():
        folder = Path("/", module).parent
        assert any(folder.match(pattern) for pattern in patterns), f"dependabot.yml lacks {folder}"
