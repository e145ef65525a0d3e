"""Pages of the documentation site, made of the repository's Markdown.

The pages stay as they are read on GitHub. Three things differ in the site:

- Some pages are outside of `docs/`, and have other paths in the site.
- Links to files that are not part of the site lead to the repository.
- The site's generator reads Python-Markdown, which nests lists by four spaces. mdformat writes them so.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from posixpath import normpath, relpath

import mdformat

REPOSITORY = "https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking"

MOVED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",  # security.md is a page of docs/
    "charts/skywalking-provider/README.md": "chart.md",
    "charts/skywalking-provider/icon.svg": "icon.svg",
    "examples/argo-cd/README.md": "examples/argo-cd.md",
    "examples/bookinfo/README.md": "examples/bookinfo.md",
}
"""Paths in the site by paths in the repository, for files outside of docs/."""

_FENCED = re.compile(r"(^ *```.*?^ *```[^\n]*\n?)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")


def list_files(root: Path) -> dict[str, str]:
    """Return the paths in the site of all pages, images and other files, by their paths in the repository."""
    files = sorted(path.relative_to(root).as_posix() for path in (root / "docs").rglob("*") if path.is_file())
    return MOVED | {path: path.removeprefix("docs/") for path in files}


def check_files(root: Path) -> Iterator[str]:
    """Yield an error for each link of a page to a file that does not exist. The generator does not check images."""
    for source in list_files(root):
        if source.endswith(".md"):
            for path, _ in _LINK.findall("".join(_FENCED.split((root / source).read_text())[::2])):
                if not (root / source).parent.joinpath(path).exists():
                    yield f"{source} links to a file that does not exist: {path}. Correct the link."


def write_pages(root: Path, target: Path) -> None:
    """Write the files of the site into a folder."""
    shutil.rmtree(target, ignore_errors=True)
    files = list_files(root)
    for source, path in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".md"):
            text = _rewrite_links((root / source).read_text(), _build_rewriter(source, files, root))
            (target / path).write_text(
                mdformat.text(text, extensions={"gfm", "mkdocs"}, options={"number": True, "wrap": "keep"})
            )
        else:
            shutil.copyfile(root / source, target / path)


def _rewrite_links(text: str, rewrite: Callable[[re.Match[str]], str]) -> str:
    """Rewrite the links of a page outside of its code blocks."""
    return "".join(part if number % 2 else _LINK.sub(rewrite, part) for number, part in enumerate(_FENCED.split(text)))


def _build_rewriter(source: str, files: dict[str, str], root: Path) -> Callable[[re.Match[str]], str]:
    def rewrite(link: re.Match[str]) -> str:
        path, anchor = link.groups()
        target = normpath(f"{source}/../{path}")
        if target in files:
            return f"]({relpath(files[target], f'{files[source]}/..')}{anchor})"
        return f"]({REPOSITORY}/{'tree' if (root / target).is_dir() else 'blob'}/main/{target}{anchor})"

    return rewrite
