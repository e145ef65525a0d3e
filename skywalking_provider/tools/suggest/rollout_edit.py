"""Insertion of the suggested analysis into a Rollout's manifest, which leaves every other byte unchanged. Pure."""

import copy
import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from skywalking_provider.tools.migrate.yaml_nodes import MigrationError, child, entries, parse_documents, value_end
from skywalking_provider.tools.suggest.model import SuggestError
from skywalking_provider.tools.suggest.rollout_steps import RolloutSteps

_CANARY: Final = ("spec", "strategy", "canary")
_HASHES: Final = (("canary-hash", "Latest"), ("stable-hash", "Stable"))


def build_analysis(template: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the `analysis` of a Rollout that uses a template.

    Args:
        template: Name of the template.
        arguments: Names of its arguments, which are hashes of versions.
    """
    args = [
        {"name": name, "valueFrom": {"podTemplateHashValue": version}} for name, version in _HASHES if name in arguments
    ]
    return {"templates": [{"templateName": template}]} | ({"args": args} if args else {})


def add_step(text: str, steps: RolloutSteps, index: int, analysis: dict[str, Any], file: str) -> str:
    """Return a manifest with an analysis behind a step.

    Args:
        text: The manifest.
        steps: Steps of its Rollout.
        index: Position of the step.
        analysis: Analysis to insert.
        file: Name of the file, for errors.

    Raises:
        SuggestError: The layout of the file does not permit an insertion.
    """
    sequence = child(_root(text, steps, file), *_CANARY, "steps")
    if not isinstance(sequence, SequenceNode):
        raise _unsupported(file)
    item = sequence.value[index]
    end = _end(text, item)
    if sequence.flow_style:
        changed = f"{text[:end]}, {{analysis: {_flow(analysis)}}}{text[end:]}"
    else:
        line_start = text.rfind("\n", 0, item.start_mark.index) + 1
        dash = text[line_start : item.start_mark.index]
        margin = dash[: len(dash) - len(dash.lstrip(" "))]
        if dash.strip() != "-":
            raise _unsupported(file)
        changed = _insert_lines(text, end, [f"{margin}- analysis:", *format_analysis(analysis, f"{margin}    ")])
    return _verify(text, changed, steps, file, lambda canary: canary["steps"].insert(index + 1, {"analysis": analysis}))


def add_background(text: str, steps: RolloutSteps, analysis: dict[str, Any], file: str) -> str:
    """Return a manifest with a background analysis that starts after the first step. See `add_step`."""
    canary = child(_root(text, steps, file), *_CANARY)
    key, value = entries(canary).get("steps", (None, None))
    if not isinstance(canary, MappingNode) or key is None or value is None:
        raise _unsupported(file)
    content = analysis | {"startingStep": steps.weights[0].index + 1}
    start = key.start_mark.index
    if canary.flow_style:
        changed = f"{text[:start]}analysis: {_flow(content)}, {text[start:]}"
    else:
        line_start = text.rfind("\n", 0, start) + 1
        margin = text[line_start:start]
        if margin.strip():
            raise _unsupported(file)
        lines = _join([f"{margin}analysis:", *format_analysis(content, f"{margin}  ")], text)
        changed = text[:line_start] + lines + text[line_start:]
    return _verify(text, changed, steps, file, lambda one: one.__setitem__("analysis", content))


def build_diff(before: str, after: str, file: str) -> Iterator[str]:
    """Yield the lines of the unified diff of a file."""
    for line in difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), file, file):
        yield line.rstrip("\r\n")


def _root(text: str, steps: RolloutSteps, file: str) -> Node:
    try:
        return parse_documents(text)[steps.document]
    except (MigrationError, IndexError) as error:
        raise _unsupported(file) from error


def _end(text: str, item: Node) -> int:
    """Return the end of an item, without the comments after it."""
    if isinstance(item, MappingNode) and item.value and not item.flow_style:
        return max(value_end(text, key, value) for key, value in item.value)
    return item.start_mark.index + len(text[item.start_mark.index : item.end_mark.index].rstrip())


def _insert_lines(text: str, position: int, lines: Sequence[str]) -> str:
    """Insert lines below the line of a position."""
    end = text.find("\n", position) + 1
    if not end:
        newline = "\r\n" if "\r\n" in text else "\n"
        return text + newline + _join(lines, text)
    return text[:end] + _join(lines, text) + text[end:]


def _join(lines: Sequence[str], text: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return "".join(line + newline for line in lines)


def format_analysis(content: dict[str, Any], margin: str) -> list[str]:
    """Return the lines of an analysis in the form of this project's examples: one for each entry of a list.

    Args:
        content: The analysis.
        margin: Indentation.
    """
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            lines += [f"{margin}{key}:", *(f"{margin}- {_flow(one)}" for one in value)]
        else:
            lines.append(f"{margin}{key}: {value}")
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) and yaml.safe_load(f"[{value}]") == [value] else json.dumps(value)


def _verify(text: str, changed: str, steps: RolloutSteps, file: str, change: Any) -> str:
    """Return the new text if it has the expected content."""
    expected = copy.deepcopy([one for one in yaml.safe_load_all(text) if one is not None])
    change(expected[steps.document]["spec"]["strategy"]["canary"])
    try:
        actual = [one for one in yaml.safe_load_all(changed) if one is not None]
    except yaml.YAMLError as error:
        raise _unsupported(file) from error
    if actual != expected:
        raise _unsupported(file)
    return changed


def _unsupported(file: str) -> SuggestError:
    return SuggestError(
        f"--rollout: the layout of {file} does not permit an insertion. Write each step on a line of its own"
    )
