"""Rewrites templates of Argo's built-in SkyWalking provider into ours, and says what changes in meaning. Pure."""

from collections import Counter
from dataclasses import dataclass

from skywalking_provider.migrate import notes
from skywalking_provider.migrate.builtin import check, is_templated, nest
from skywalking_provider.migrate.editor import Editor
from skywalking_provider.migrate.expression import to_expression
from skywalking_provider.migrate.notes import Note
from skywalking_provider.migrate.problem import MigrationError
from skywalking_provider.migrate.reads import NotExpressibleError
from skywalking_provider.migrate.template import find
from skywalking_provider.migrate.yamltree import child, documents, text

__all__ = ["Migrated", "Migration", "MigrationError", "Note", "is_templated", "migrate"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """One metric that was rewritten, or looked at and left.

    Attributes:
        line: Where its block begins in the old text.
        template: The template's name.
        metric: The metric's name.
        address: The OAP that it names; empty for none.
        changed: Whether it was rewritten.
        notes: What changes in meaning.
    """

    line: int
    template: str
    metric: str
    address: str
    changed: bool
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """One file.

    Attributes:
        before: The old text.
        after: The new one.
        metrics: What was rewritten.
        left: Lines on what reads SkyWalking and is left as it is, each with its number.
    """

    before: str
    after: str
    metrics: tuple[Migrated, ...]
    left: tuple[tuple[int, str], ...]


def migrate(source: str, plugin: str, *, expressions: bool = False) -> Migration:
    """Rewrite the templates of a YAML text.

    Args:
        source: One document or several.
        plugin: The name of the plugin, as the administrator gave it.
        expressions: Rewrite queries to expressions too, where the meaning is the same.

    Raises:
        MigrationError: The text cannot be migrated as it is; the first place and the remedy.
    """
    roots = documents(source)
    found = find(roots, plugin)
    editor = Editor(source, roots)
    blocks = Counter(id(place.block) for place in found.places)
    metrics = []
    for place in found.places:
        said = nest(place, plugin, editor) if place.built_in else []
        changed = place.built_in
        if expressions and child(place.block, "query"):
            try:
                said = [*_still(said), *to_expression(place, editor, shared=blocks[id(place.block)] > 1)]
                changed = True
            except NotExpressibleError as reason:
                said = [*said, notes.kept(str(reason))]
        if said:
            address = text(child(place.block, "address")) if place.built_in else ""
            metrics.append(Migrated(place.line, place.template, place.metric, address, changed, tuple(said)))
    after = editor.finish()
    for place in find(documents(after), plugin).places:
        check(place)
    return Migration(source, after, tuple(metrics), tuple(found.left))


def _still(said: list[Note]) -> list[Note]:
    """What is true of an expression too: nothing about the query's own text and keys."""
    kept = (note for note in said if note.topic not in ("index", "query"))
    return [notes.ABSENT_HERE if note == notes.ABSENT else note for note in kept]
