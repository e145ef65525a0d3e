"""Builds of the documentation site in temporary folders."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache/site-tools/bin/python"


def copy_sources(target: Path) -> Path:
    """Copy the sources of the site, so that a test can change them."""
    shutil.copytree(ROOT / "docs", target / "docs")
    for path in ("mkdocs.yml", "pyproject.toml", *ROOT.glob("*.md"), *ROOT.glob("examples/*/*.md")):
        copy_file(path if isinstance(path, Path) else ROOT / path, target)
    for path in (ROOT / "charts").glob("*/*"):
        if path.is_file():
            copy_file(path, target)
    return target


def copy_file(path: Path, target: Path) -> None:
    copied = target / path.relative_to(ROOT)
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copied)


def build_site(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert PYTHON.exists(), "The generator of the site is not installed. Run `make docs`."
    command = [PYTHON, ROOT / "tools/site/build.py", "--target", folder / "site", "--work", folder / "work", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_versions(folder: Path) -> None:
    """Run the function of this name in the generator's environment."""
    code = "import sys; from pathlib import Path; from build import write_versions; write_versions(Path(sys.argv[1]))"
    subprocess.run([PYTHON, "-c", code, folder], cwd=ROOT / "tools/site", check=True)
