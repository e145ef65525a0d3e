"""Migration of templates from Argo's built-in SkyWalking provider to this one. No I/O."""

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
    """A metric that was rewritten, or that has notes.

    Attributes:
        line: Line of its block in the original text.
        template: Name of the template.
        metric: Name of the metric.
        address: Address of the OAP server in the block; empty for none.
        changed: Whether the metric was rewritten.
        notes: What behaves differently.
    """

    line: int
    template: str
    metric: str
    address: str
    changed: bool
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """The migration of one file.

    Attributes:
        before: Original text.
        after: New text.
        metrics: Metrics that were rewritten or have notes.
        skipped: Other uses of the built-in provider that were not rewritten, each with its line.
    """

    before: str
    after: str
    metrics: tuple[MetricMigration, ...]
    skipped: tuple[tuple[int, str], ...]


def migrate(source: str, plugin: str, *, expressions: bool = False) -> Migration:
    """Rewrite the templates of a YAML text.

    Args:
        source: One or several documents.
        plugin: Name of the plugin in Argo's configuration.
        expressions: Whether queries are rewritten to expressions where the meaning is the same.

    Raises:
        MigrationError: The text cannot be migrated; the error has the first line and a hint.
    """
    roots = parse_documents(source)
    blocks = find_blocks(roots, plugin)
    editor = Editor(source, roots)
    uses = Counter(id(location.block) for location in blocks.locations)
    metrics = []
    for location in blocks.locations:
        metric_notes = move_block(location, plugin, editor) if location.built_in else []
        changed = location.built_in
        if expressions and child(location.block, "query"):
            try:
                expression_notes = to_expression(location, editor, shared=uses[id(location.block)] > 1)
                metric_notes = [*_notes_for_expression(metric_notes), *expression_notes]
                changed = True
            except NotExpressibleError as reason:
                metric_notes = [*metric_notes, notes.not_rewritten(str(reason))]
        if metric_notes:
            address = text(child(location.block, "address")) if location.built_in else ""
            metrics.append(
                MetricMigration(
                    location.line, location.template, location.metric, address, changed, tuple(metric_notes)
                )
            )
    after = editor.finish()
    for location in find_blocks(parse_documents(after), plugin).locations:
        validate_block(location)
    return Migration(source, after, tuple(metrics), tuple(blocks.skipped))


def _notes_for_expression(query_notes: list[Note]) -> list[Note]:
    """Return the notes that still apply once the query is an expression."""
    remaining = (note for note in query_notes if not note.query_only)
    return [notes.ABSENT_IN_EXPRESSION if note == notes.ABSENT else note for note in remaining]
