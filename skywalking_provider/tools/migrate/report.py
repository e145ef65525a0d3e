"""What a person reads: the diff, what changes in meaning, and what the service's configuration needs. Pure text."""

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from skywalking_provider.tools.migrate import MetricMigration, Migration, Note, is_templated
from skywalking_provider.tools.migrate.notes import ARGO, OLD_OAP, WINDOW
from skywalking_provider.tools.migrate.yaml_editor import format_scalar

_INDENT = 13  # columns before a note's text


class LineStyle(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    TITLE = "title"
    ADDED = "added"
    REMOVED = "removed"
    HUNK = "place"
    ACTION_REQUIRED = "act"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report."""

    text: str
    style: LineStyle = LineStyle.PLAIN


def diff(name: str, migration: Migration) -> Iterator[Line]:
    """The unified diff of a file; nothing where it does not change."""
    before, after = migration.before.splitlines(keepends=True), migration.after.splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, name, name):
        text = line.rstrip("\r\n")
        tone = {"+": LineStyle.ADDED, "-": LineStyle.REMOVED, "@": LineStyle.HUNK}.get(line[0], LineStyle.PLAIN)
        yield Line(text, LineStyle.TITLE if text[:4] in ("--- ", "+++ ") else tone)
        if not line.endswith("\n"):
            yield Line("\\ No newline at end of file")


def behaviour_changes(files: Sequence[tuple[str, Migration]], width: int) -> Iterator[list[Line]]:
    """What changes in meaning, in paragraphs: what is true of every metric once, then each metric's own.

    Args:
        files: Names and migrations.
        width: Columns of the terminal; 0 keeps every note on one line.
    """
    metrics = [(name, metric) for name, migration in files for metric in migration.metrics]
    changed = [metric for _, metric in metrics if metric.changed]
    common = (
        [note for note in changed[0].notes if all(note in one.notes for one in changed)] if len(changed) > 1 else []
    )
    if common:
        title = f"What changes in meaning, for each of the {len(changed)} metrics"
        yield [Line(title, LineStyle.TITLE), *_notes(common, width)]
    for name, metric in metrics:
        own = [note for note in metric.notes if note not in common or not metric.changed]
        yield [Line(_title(name, metric), LineStyle.TITLE), *_notes(own, width)]
    if any(WINDOW in metric.notes and OLD_OAP not in metric.notes for metric in changed):
        yield [Line(line) for line in _wrap(ARGO, width, "")]
    if left := [Line(f"{name}:{number}: {what}") for name, migration in files for number, what in migration.skipped]:
        yield left


def build_backend_snippet(files: Iterable[tuple[str, Migration]]) -> Iterator[Line]:
    """The backends that the addresses of the metrics select."""
    metrics = [metric for _, migration in files for metric in migration.metrics]
    addresses = list(dict.fromkeys(metric.address for metric in metrics if metric.address))
    if not addresses:
        return
    which = "this address" if len(addresses) == 1 else "each address"
    yield Line(f"The service's configuration needs a backend with {which} as url or among its aliases", LineStyle.TITLE)
    yield Line("backends:")
    names: set[str] = set()
    for address in addresses:
        name = _backend_name(address, names)
        names.add(name)
        yield Line(f"  {name}:")
        if is_templated(address):
            yield Line(f"    url: http://oap:12800   # each value that {address} takes")
        else:
            yield Line(f"    url: {format_scalar(address)}")
    if len(addresses) > 1:
        yield Line("# where two of them are the same OAP, one backend: url: the one, aliases: [the other]")


def _title(name: str, metric: MetricMigration) -> str:
    verb = "" if metric.changed else ", left as it is"
    return f"{name}:{metric.line}: metric {metric.metric} of {metric.template or 'a template without a name'}{verb}"


def _notes(notes: Iterable[Note], width: int) -> Iterator[Line]:
    for note in sorted(notes, key=lambda note: not note.action_required):
        head = f"  {'!' if note.action_required else ' '} {note.topic}"
        lines = _wrap(note.text, width, " " * _INDENT)
        tone = LineStyle.ACTION_REQUIRED if note.action_required else LineStyle.PLAIN
        yield Line(f"{head:<{_INDENT}} {lines[0]}", tone)
        yield from (Line(f" {line}", tone) for line in lines[1:])


def _wrap(text: str, width: int, indent: str) -> list[str]:
    if not width:
        return [text]
    lines = textwrap.wrap(
        text, max(40, width - 1), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return [lines[0].removeprefix(indent), *lines[1:]]


def _backend_name(address: str, taken: set[str]) -> str:
    host = "" if is_templated(address) else urlsplit(address).hostname or ""
    name = re.sub(r"[^a-z0-9]+", "-", host if re.fullmatch(r"[\d.:]+", host) else host.split(".")[0]).strip("-")
    name = name if re.search("[a-z]", name) else "default"
    number = 1
    while (candidate := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return candidate
