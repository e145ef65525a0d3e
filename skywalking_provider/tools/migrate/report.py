"""Report of a migration as lines of text: the diff, the notes, and the backends that the configuration needs."""

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from skywalking_provider.tools.migrate import MetricMigration, Migration, Note, is_templated
from skywalking_provider.tools.migrate.notes import ARGO_COMPATIBILITY, OAP_VERSION, WINDOW
from skywalking_provider.tools.migrate.yaml_editor import format_scalar

_INDENT = 13  # columns before the text of a note


class LineStyle(StrEnum):
    """Styles of a line."""

    PLAIN = "plain"
    TITLE = "title"
    ADDED = "added"
    REMOVED = "removed"
    HUNK = "hunk"
    ACTION_REQUIRED = "action required"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report."""

    text: str
    style: LineStyle = LineStyle.PLAIN


def diff(name: str, migration: Migration) -> Iterator[Line]:
    """Yield the unified diff of a file; nothing if it does not change."""
    before, after = migration.before.splitlines(keepends=True), migration.after.splitlines(keepends=True)
    styles = {"+": LineStyle.ADDED, "-": LineStyle.REMOVED, "@": LineStyle.HUNK}
    for number, line in enumerate(difflib.unified_diff(before, after, name, name)):
        style = LineStyle.TITLE if number < 2 else styles.get(line[0], LineStyle.PLAIN)
        yield Line(line.rstrip("\r\n"), style)
        if not line.endswith("\n"):
            yield Line("\\ No newline at end of file")


def behaviour_changes(files: Sequence[tuple[str, Migration]], width: int) -> Iterator[list[Line]]:
    """Yield paragraphs about behaviour: first the notes common to all metrics, then those of each metric.

    Args:
        files: Names of the files and their migrations.
        width: Columns of the terminal; 0 prints every note on one line.
    """
    metrics = [(name, metric) for name, migration in files for metric in migration.metrics]
    changed = [metric for _, metric in metrics if metric.changed]
    common = (
        [note for note in changed[0].notes if all(note in one.notes for one in changed)] if len(changed) > 1 else []
    )
    if common:
        title = f"Changes in behaviour of all {len(changed)} metrics"
        yield [Line(title, LineStyle.TITLE), *_notes(common, width)]
    for name, metric in metrics:
        own = [note for note in metric.notes if note not in common or not metric.changed]
        yield [Line(_title(name, metric), LineStyle.TITLE), *_notes(own, width)]
    if any(WINDOW in metric.notes and OAP_VERSION not in metric.notes for metric in changed):
        yield [Line(line) for line in _wrap(ARGO_COMPATIBILITY, width, "")]
    if skipped := [Line(f"{name}:{line}: {text}") for name, migration in files for line, text in migration.skipped]:
        yield skipped


def build_backend_snippet(files: Iterable[tuple[str, Migration]]) -> Iterator[Line]:
    """Yield the configuration of the backends that the addresses of the metrics select."""
    metrics = [metric for _, migration in files for metric in migration.metrics]
    addresses = list(dict.fromkeys(metric.address for metric in metrics if metric.address))
    if not addresses:
        return
    which = "this address" if len(addresses) == 1 else "each of these addresses"
    title = f"Configure a backend with {which} as its url or one of its aliases"
    yield Line(title, LineStyle.TITLE)
    yield Line("backends:")
    names: set[str] = set()
    for address in addresses:
        name = _backend_name(address, names)
        names.add(name)
        yield Line(f"  {name}:")
        if is_templated(address):
            yield Line(f"    url: http://oap:12800   # each value of {address}")
        else:
            yield Line(f"    url: {format_scalar(address)}")
    if len(addresses) > 1:
        yield Line("# If two addresses are the same OAP, configure one backend: url: one, aliases: [the other].")


def _title(name: str, metric: MetricMigration) -> str:
    template = f"template {metric.template}" if metric.template else "a template without a name"
    return f"{name}:{metric.line}: metric {metric.metric} of {template}{'' if metric.changed else ', not rewritten'}"


def _notes(notes: Iterable[Note], width: int) -> Iterator[Line]:
    for note in sorted(notes, key=lambda note: not note.action_required):
        head = f"  {'!' if note.action_required else ' '} {note.topic}"
        lines = _wrap(note.text, width, " " * _INDENT)
        style = LineStyle.ACTION_REQUIRED if note.action_required else LineStyle.PLAIN
        yield Line(f"{head:<{_INDENT}} {lines[0]}", style)
        yield from (Line(f" {line}", style) for line in lines[1:])


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
