"""Rewriting of a block's query to an expression that means the same."""

import re

from yaml.nodes import MappingNode, ScalarNode

from skywalking_provider.tools.migrate import notes
from skywalking_provider.tools.migrate.find_blocks import BlockLocation
from skywalking_provider.tools.migrate.notes import Note
from skywalking_provider.tools.migrate.to_expression.conditions import describe_result, rewrite_condition
from skywalking_provider.tools.migrate.to_expression.parse import (
    NotExpressibleError,
    QueryRead,
    parse_single_read,
)
from skywalking_provider.tools.migrate.yaml_editor import Editor, Value
from skywalking_provider.tools.migrate.yaml_nodes import entries, is_alias, text

_QUERY_ONLY_KEYS = ("absent", "compatibility")


def to_expression(location: BlockLocation, editor: Editor, *, shared: bool) -> list[Note]:
    """Rewrite a query and its conditions, and return the notes.

    Args:
        location: A block with a query.
        editor: Collects the edits; unchanged if an error is raised.
        shared: Whether other metrics use the same block by a YAML anchor.

    Raises:
        NotExpressibleError: The query cannot be rewritten; the text is the reason.
    """
    if shared:
        raise NotExpressibleError("the block is shared by a YAML anchor (&)")
    block = entries(location.block)
    if query_keys := [key for key in _QUERY_ONLY_KEYS if key in block]:
        raise NotExpressibleError(f"`{query_keys[0]}` is valid for queries only")
    key, query = block["query"]
    if is_alias(key, query) or editor.source[query.start_mark.index] in "&!":
        raise NotExpressibleError("its text is shared by a YAML anchor (&)")
    read = parse_single_read(text(query))
    conditions = [(*pair, _rewrite_condition(pair[1], read)) for pair in location.conditions.values()]
    for condition, value, written in conditions:
        editor.set_text(condition, value, written)
    editor.rename(block["interval"][0], "window")
    editor.replace_entry(
        key,
        query,
        _expression_keys(read),
        flow=isinstance(location.block, MappingNode) and bool(location.block.flow_style),
    )
    return _notes(read)


def _rewrite_condition(condition: ScalarNode, read: QueryRead) -> str:
    return rewrite_condition(condition.value, read, "'" if condition.style == '"' else '"')


def _expression_keys(read: QueryRead) -> list[tuple[str, Value]]:
    keys: list[tuple[str, Value]] = [
        ("expression", f"avg({read.metric})" if read.single else read.metric),
        ("service", read.service),
    ]
    if read.endpoint:
        keys.append(("endpoint", read.endpoint))
    if read.instance:
        keys.append(("instances", {"name": _escape_name(read.instance)}))
    return keys


def _escape_name(name: str) -> str:
    """Return a regular expression that matches one name. A dash needs no escape."""
    return re.sub(r"\\([-#&~ ])", r"\1", re.escape(name))


def _notes(read: QueryRead) -> list[Note]:
    result = notes.truncated_value(read.metric) if read.single else notes.result_description(describe_result(read))
    return [result, notes.ENTITY, notes.OAP_VERSION]
