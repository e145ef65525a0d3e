"""Build of the documentation site (make docs).

Each version of the site is a folder of .cache/site, and versions.json lists them for the menu of versions. The build
fails for a link without a target, an anchor without a heading, and a page that is missing in the navigation of
mkdocs.yml. It needs no network, and the site requests nothing from other servers.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version
from pages import check_files, list_files, write_pages

ROOT = Path(__file__).parents[2]
_COLOR = re.compile(r"\x1b\[[\d;]*m")
_SHIM = "https://unpkg.com/iframe-worker/shim"
_LOCAL_SHIM = "assets/javascripts/iframe-worker.js"
_REDIRECT = """<!doctype html>
<meta charset="utf-8">
<title>SkyWalking metric provider for Argo Rollouts</title>
<meta http-equiv="refresh" content="0; url={version}/index.html">
<a href="{version}/index.html">Documentation of version {version}</a>
"""


def main() -> int:
    """Build one version of the site; return 1 if a page, a link or an anchor is missing."""
    options = argparse.ArgumentParser(description="Build the documentation site.")
    options.add_argument("--root", type=Path, default=ROOT, help="the repository")
    options.add_argument("--target", type=Path, default=ROOT / ".cache/site", help="folder of all versions")
    options.add_argument("--work", type=Path, default=ROOT / ".cache/site-build", help="folder of intermediate files")
    options.add_argument("--version", help="name of this version (default: that of pyproject.toml)")
    chosen = options.parse_args()
    configuration = (chosen.root / "mkdocs.yml").read_text()
    pages = [path for path in list_files(chosen.root).values() if path.endswith(".md")]
    errors = [*check_navigation(yaml.safe_load(configuration)["nav"], pages), *check_files(chosen.root)]
    write_pages(chosen.root, chosen.work / "pages")
    (chosen.work / "mkdocs.yml").write_text(f"{configuration}\ndocs_dir: pages\nsite_dir: site\n")
    if errors := [*errors, *run_generator(chosen.work / "mkdocs.yml")]:
        print(*errors, sep="\n", file=sys.stderr)
        return 1
    replace_remote_script(chosen.work / "site")
    target = chosen.target / (chosen.version or _read_version(chosen.root))
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(chosen.work / "site", target)
    write_versions(chosen.target)
    print(f"{len(pages)} pages in {target}. Open {chosen.target}/index.html.")
    return 0


def check_navigation(nav: list[Any], pages: list[str]) -> Iterator[str]:
    """Yield an error for each page that is missing in the navigation, or is there without a file."""
    listed = list(_flatten(nav))
    for page in pages:
        if page not in listed:
            yield f"nav of mkdocs.yml lacks a page: {page}. Add it below tutorial, how-to, reference or explanation."
    for page in listed:
        if page not in pages:
            yield f"nav of mkdocs.yml names a page that does not exist: {page}. Remove it."


def run_generator(configuration: Path) -> Iterator[str]:
    """Run Zensical, and yield its warnings if it rejects a page."""
    program = Path(sys.executable).with_name("zensical")
    command = [str(program), "build", "--strict", "--clean", "--config-file", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield _COLOR.sub("", done.stdout + done.stderr).partition("Traceback (most recent call last)")[0].rstrip()


def replace_remote_script(site: Path) -> None:
    """Replace the only script that the search without a web server would request from another server."""
    for page in site.rglob("*.html"):
        local = Path(os.path.relpath(site / _LOCAL_SHIM, page.parent)).as_posix()
        page.write_text(page.read_text().replace(_SHIM, local))
    shutil.copyfile(Path(__file__).with_name("iframe-worker.js"), site / _LOCAL_SHIM)


def write_versions(target: Path) -> None:
    """Write the list of the versions in a folder, newest first, and the redirection to the newest one."""
    names = sorted((page.parent.name for page in target.glob("*/index.html")), key=_sort_key, reverse=True)
    versions = [{"version": name, "title": name, "aliases": []} for name in names]
    (target / "versions.json").write_text(json.dumps(versions))
    (target / "index.html").write_text(_REDIRECT.format(version=names[0]))


def _flatten(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        match entry:
            case str():
                yield entry
            case dict():
                for value in entry.values():
                    yield from _flatten(value if isinstance(value, list) else [value])


def _sort_key(name: str) -> tuple[bool, Version, str]:
    """Sort a name that is not a version, such as main, before all versions."""
    try:
        return True, Version(name), name
    except InvalidVersion:
        return False, Version("0"), name


def _read_version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


if __name__ == "__main__":
    sys.exit(main())
