"""From a query to an expression: form A to form B, where the meaning is the same."""

import re

from yaml.nodes import MappingNode, ScalarNode

from skywalking_provider.migrate import notes
from skywalking_provider.migrate.conditions import rewrite, shape
from skywalking_provider.migrate.editor import Editor, Value
from skywalking_provider.migrate.notes import Note
from skywalking_provider.migrate.reads import NotExpressibleError, Read, read_of
from skywalking_provider.migrate.template import Place
from skywalking_provider.migrate.yamltree import entries, is_alias, text

_OF_QUERIES = ("absent", "compatibility")


def to_expression(place: Place, editor: Editor, *, shared: bool) -> list[Note]:
    """Rewrite a query and the conditions on it.

    Args:
        place: The block, with a query.
        editor: Takes the edits; none if the query stays one.
        shared: Whether other metrics have the same block, by an anchor.

    Raises:
        NotExpressibleError: The query stays a query, and why.
    """
    if shared:
        raise NotExpressibleError("its block is shared by an anchor (&)")
    block = entries(place.block)
    if kept := [key for key in _OF_QUERIES if key in block]:
        raise NotExpressibleError(f"`{kept[0]}` belongs to queries")
    key, query = block["query"]
    if is_alias(key, query) or editor.source[query.start_mark.index] in "&!":
        raise NotExpressibleError("its text is shared by an anchor (&)")
    read = read_of(text(query))
    conditions = [(*pair, _rewritten(pair[1], read)) for pair in place.conditions.values()]
    for condition, value, written in conditions:
        editor.set_text(condition, value, written)
    editor.rename(block["interval"][0], "window")
    editor.replace_entry(
        key, query, _keys(read), flow=isinstance(place.block, MappingNode) and bool(place.block.flow_style)
    )
    return _notes(read)


def _rewritten(condition: ScalarNode, read: Read) -> str:
    return rewrite(condition.value, read, "'" if condition.style == '"' else '"')


def _keys(read: Read) -> list[tuple[str, Value]]:
    keys: list[tuple[str, Value]] = [
        ("expression", f"avg({read.metric})" if read.single else read.metric),
        ("service", read.service),
    ]
    if read.endpoint:
        keys.append(("endpoint", read.endpoint))
    if read.instance:
        keys.append(("instances", {"name": _escaped(read.instance)}))
    return keys


def _escaped(name: str) -> str:
    """A regular expression for one name; a dash needs no escape."""
    return re.sub(r"\\([-#&~ ])", r"\1", re.escape(name))


def _notes(read: Read) -> list[Note]:
    result = notes.truncated(read.metric) if read.single else notes.result_of(shape(read))
    return [result, notes.SINCE, notes.ENTITY, notes.OLD_OAP]
