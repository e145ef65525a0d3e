"""Texts to lint: files, the YAML files of folders, and standard input. The only module of `lint` that reads files."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from skywalking_provider.tools.lint.findings import Place, Problem
from skywalking_provider.tools.lint.registry import Rule

STDIN: Final = "-"
MAX_BYTES: Final = 8 << 20
"""Size of a file. The API server accepts objects of 1.5 MiB; the output of `helm template` has many of them."""
_SUFFIXES: Final = (".yaml", ".yml")
_SKIPPED_FOLDERS: Final = frozenset({"node_modules"})
_CHART: Final = "Chart.yaml"
_TEMPLATES: Final = "templates"


@dataclass(frozen=True, slots=True)
class Source:
    """A text, or why it cannot be read.

    Attributes:
        name: Name of the file as it was given, or `stdin`.
        text: Content; empty with a problem.
        problem: Why it cannot be read; None if it was.
    """

    name: str
    text: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class SkippedFolder:
    """The `templates` of a Helm chart, which must be rendered first."""

    name: str


def read_sources(paths: Sequence[str], stdin: BinaryIO) -> Iterator[Source | SkippedFolder]:
    """Yield the text of each path, and of each YAML file below a folder. A path is read once.

    Hidden folders, `node_modules` and links to folders are not entered.
    """
    for path in dict.fromkeys(paths):
        if path == STDIN:
            yield _read_stream("stdin", stdin)
        elif os.path.isdir(path):  # noqa: PTH112 - unlike Path.is_dir, it accepts every text
            yield from _read_folder(path)
        else:
            yield _read_file(path)


def _read_folder(path: str) -> Iterator[Source | SkippedFolder]:
    errors: list[OSError] = []
    for folder, folders, files in os.walk(path, onerror=errors.append):
        is_chart = _CHART in files
        if is_chart and _TEMPLATES in folders:
            yield SkippedFolder(str(Path(folder, _TEMPLATES)))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _SKIPPED_FOLDERS and not (is_chart and name == _TEMPLATES)
        )
        for name in sorted(files):
            if name.endswith(_SUFFIXES):
                yield _read_file(str(Path(folder, name)), of_folder=True)
    for error in errors:
        yield _unreadable(str(error.filename), error)


def _read_file(path: str, *, of_folder: bool = False) -> Source:
    try:
        if of_folder and not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a pipe would never end
            return _problem(path, Rule.FILE_UNREADABLE, "is not a regular file", "Name it to read it anyway")
        with Path(path).open("rb") as file:
            return _read_stream(path, file)
    except (OSError, ValueError) as error:  # ValueError: the path has a null character
        return _unreadable(path, error)


def _read_stream(name: str, stream: BinaryIO) -> Source:
    try:
        content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(name, error)
    if len(content) > MAX_BYTES:
        limit = f"is larger than {MAX_BYTES >> 20} MiB"
        return _problem(name, Rule.FILE_TOO_LARGE, limit, "Split it, or leave it out")
    try:
        return Source(name, content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        place = Place(line, column)
        return _problem(name, Rule.YAML_INVALID, "is not UTF-8", "Convert it", place)


def _unreadable(name: str, error: OSError | ValueError) -> Source:
    reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return _problem(name, Rule.FILE_UNREADABLE, f"cannot be read: {reason}", "Correct the path or its permissions")


def _problem(name: str, rule: Rule, message: str, hint: str, place: Place | None = None) -> Source:
    return Source(name, problem=Problem(rule, message, hint, place=place or Place()))
