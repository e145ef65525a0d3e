"""Rewrites templates of Argo's built-in SkyWalking provider into ours, and says what changes in meaning. Pure."""

from collections import Counter
from dataclasses import dataclass

from skywalking_provider.tools.migrate import notes
from skywalking_provider.tools.migrate.find_blocks import find_blocks
from skywalking_provider.tools.migrate.notes import Note
from skywalking_provider.tools.migrate.rewrite import is_templated, move_block, validate_block
from skywalking_provider.tools.migrate.to_expression.parse import NotExpressibleError
from skywalking_provider.tools.migrate.to_expression.rewrite import to_expression
from skywalking_provider.tools.migrate.yaml_editor import Editor
from skywalking_provider.tools.migrate.yaml_nodes import MigrationError, child, parse_documents, text

__all__ = ["MetricMigration", "Migration", "MigrationError", "Note", "is_templated", "migrate"]


@dataclass(frozen=True, slots=True)
class MetricMigration:
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
        skipped: Lines on what reads SkyWalking and is left as it is, each with its number.
    """

    before: str
    after: str
    metrics: tuple[MetricMigration, ...]
    skipped: tuple[tuple[int, str], ...]


def migrate(source: str, plugin: str, *, expressions: bool = False) -> Migration:
    """Rewrite the templates of a YAML text.

    Args:
        source: One document or several.
        plugin: The name of the plugin, as the administrator gave it.
        expressions: Rewrite queries to expressions too, where the meaning is the same.

    Raises:
        MigrationError: The text cannot be migrated as it is; the first place and the remedy.
    """
    roots = parse_documents(source)
    found = find_blocks(roots, plugin)
    editor = Editor(source, roots)
    blocks = Counter(id(place.block) for place in found.locations)
    metrics = []
    for place in found.locations:
        said = move_block(place, plugin, editor) if place.built_in else []
        changed = place.built_in
        if expressions and child(place.block, "query"):
            try:
                said = [*_notes_for_expression(said), *to_expression(place, editor, shared=blocks[id(place.block)] > 1)]
                changed = True
            except NotExpressibleError as reason:
                said = [*said, notes.not_rewritten(str(reason))]
        if said:
            address = text(child(place.block, "address")) if place.built_in else ""
            metrics.append(MetricMigration(place.line, place.template, place.metric, address, changed, tuple(said)))
    after = editor.finish()
    for place in find_blocks(parse_documents(after), plugin).locations:
        validate_block(place)
    return Migration(source, after, tuple(metrics), tuple(found.skipped))


def _notes_for_expression(query_notes: list[Note]) -> list[Note]:
    """What is true of an expression too: nothing about the query's own text and keys."""
    kept = (note for note in query_notes if note.topic not in ("index", "query"))
    return [notes.ABSENT_HERE if note == notes.ABSENT else note for note in kept]
