"""Layout of JSON and GraphQL for people: short values on one line, long ones indented and truncated. No I/O."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from graphql import FieldNode, OperationDefinitionNode, parse, print_ast

from skywalking_provider.support.counts import format_count


def json_lines(value: Any, width: int) -> list[str]:
    """Return the lines of a JSON value. Parts that fit into the width stay on one line."""
    return list(_json(value, width, "", ""))


def query_lines(text: str) -> list[str]:
    """Return the lines of a GraphQL request.

    An author's query keeps its layout. A generated query, which is one line, gets a line for each field.
    """
    if "\n" in text.strip():
        lines = text.strip("\n").splitlines()
        margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        return [line[margin:].rstrip() for line in lines]
    (operation,) = parse(text).definitions
    if not isinstance(operation, OperationDefinitionNode):
        return [text]
    head = text[: text.index("{", operation.selection_set.loc.start if operation.selection_set.loc else 0) + 1]
    fields = [one for one in operation.selection_set.selections if isinstance(one, FieldNode)]
    return [head, *(f"  {' '.join(print_ast(one).split())}" for one in fields), "}"]


def truncate_lines(lines: list[str], max_lines: int, hint: str) -> list[str]:
    """Return at most `max_lines` lines; the last one has the hint if lines were removed."""
    if len(lines) <= max_lines:
        return lines
    return [*lines[: max_lines - 1], f"… {format_count(len(lines) - max_lines + 1, 'more line')}; {hint}"]


def compact(value: Any) -> str:
    """Return a JSON value on one line."""
    return json.dumps(value, ensure_ascii=False)


def _json(value: Any, width: int, indent: str, prefix: str) -> Iterator[str]:
    line = f"{indent}{prefix}{compact(value)}"
    if len(line) <= width or not isinstance(value, dict | list) or not value:
        yield line
        return
    first, last = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{prefix}{first}"
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        inner = f"{indent}  "
        yield from textwrap.wrap(compact(value)[1:-1], width, initial_indent=inner, subsequent_indent=inner)
        yield f"{indent}{last}"
        return
    parts = list(value.items()) if isinstance(value, dict) else [(None, one) for one in value]
    for at, (key, one) in enumerate(parts):
        lines = list(_json(one, width - 1, f"{indent}  ", "" if key is None else f"{compact(key)}: "))
        lines[-1] += "," if at < len(parts) - 1 else ""
        yield from lines
    yield f"{indent}{last}"
