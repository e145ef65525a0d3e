"""Composer of YAML documents from libyaml's events, within limits of size, depth and expansion. No I/O.

libyaml's parser is ten times as fast as PyYAML's own. The composer sees an alias before it expands it, and needs no
recursion. The value of an alias is a shared object, so that nothing is copied. Scalars have the types of YAML 1.1, as
in the API server, but dates stay texts.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml
from yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from skywalking_provider.tools.lint.findings import Place, Problem
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.yaml_nodes import MERGED, Document, Node

MAX_DEPTH: Final = 100
MAX_VALUES: Final = 200_000
"""Values of a document with its aliases expanded. The API server accepts objects of 1.5 MiB at most."""
MAX_EVENTS: Final = 1_000_000
"""Parts of a file. More take seconds to read, and are not a set of manifests."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = "tag:yaml.org,2002:merge"
_ENDS: Final = (yaml.events.MappingEndEvent, yaml.events.SequenceEndEvent)
_CACHED_TEXTS: Final = 4096


class LimitError(Exception):
    """A text that exceeds a limit.

    Args:
        place: Place at which it does.
        message: The problem.
        hint: Next step.
    """

    def __init__(self, place: Place, message: str, hint: str) -> None:
        super().__init__(message)
        self.problem = Problem(Rule.YAML_TOO_COMPLEX, message, hint, place=place)


class Composer:
    """Builds the documents of one text.

    Attributes:
        problems: Problems of keys.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._broken = False

    def compose(self, text: str) -> Iterator[Document]:
        """Yield the documents of a text, without empty ones and without those that have a map as a key.

        Raises:
            LimitError: A limit is exceeded.
            yaml.YAMLError: The text is not YAML.
        """
        for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if number > MAX_EVENTS:
                raise LimitError(_place(event), f"has more than {MAX_EVENTS:,} values", "Split the file")
            node = self._complete(event)
            if node is None:
                continue
            if self._open:
                self._add(node, event)
            elif node.value is not None and not self._broken:
                yield Document(node)

    def _complete(self, event: Any) -> Node | None:
        """Return the node that an event completes; None if it completes none, or a key."""
        kind = type(event)
        if kind is ScalarEvent:
            if event.anchor:
                self._anchors[event.anchor] = _build_scalar(event)
            if self._open and self._open[-1].takes_key:
                self._open[-1].set_key(event.value, _place(event))
                return None
            return self._anchors[event.anchor] if event.anchor else _build_scalar(event)
        if kind in _ENDS:
            node = self._open.pop().node
            node.end = _end(event)
            return node
        if kind is AliasEvent:
            return self._resolve(event)
        self._start(kind, event)
        return None

    def _start(self, kind: type[Any], event: Any) -> None:
        if kind is DocumentStartEvent:
            self._anchors, self._open, self._broken = {}, [], False
        if kind not in (MappingStartEvent, SequenceStartEvent):
            return
        is_map = kind is MappingStartEvent
        node = Node(_place(event), {} if is_map else [])
        if event.anchor:
            self._anchors[event.anchor] = node
        self._open.append(_Open(node, is_map=is_map))
        if len(self._open) > MAX_DEPTH:
            raise LimitError(node.place, f"is nested more than {MAX_DEPTH} levels deep", "Remove levels")

    def _resolve(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise yaml.composer.ComposerError(None, None, f"alias *{event.anchor} has no anchor", event.start_mark)
        if any(one.node is node for one in self._open):
            message = f"alias *{event.anchor} refers to a part that contains it"
            raise LimitError(_place(event), message, "Write the value out")
        return node

    def _add(self, node: Node, event: Any) -> None:
        """Add a node to the map or list that is open."""
        opened = self._open[-1]
        around = opened.node
        around.size += node.size
        if node.depth >= around.depth:
            around.depth = node.depth + 1
        if around.size > MAX_VALUES or around.depth > MAX_DEPTH:
            limits = f"{MAX_VALUES:,} values or {MAX_DEPTH} levels"
            raise LimitError(_place(event), f"expands to more than {limits}", "Remove YAML aliases")
        if opened.takes_key:
            self._add_key(opened, node, _place(event) if type(event) is AliasEvent else node.place)
        else:
            duplicate = opened.add(node)
            if duplicate:
                self.problems.append(duplicate)

    def _add_key(self, opened: "_Open", node: Node, place: Place) -> None:
        """Take a node that is not a plain scalar as a key."""
        if isinstance(node.value, dict | list):
            hint = 'Quote text that begins with an argument: "{{args.name}}"'
            self.problems.append(Problem(Rule.YAML_INVALID, "a key is a map or a list", hint, place=place))
            self._broken = True
        opened.set_key("" if isinstance(node.value, dict | list) else str(node.value), place)


class _Open:
    """A map or list whose end was not reached yet."""

    __slots__ = ("_items", "_key", "_key_place", "_keys", "node", "takes_key")

    def __init__(self, node: Node, *, is_map: bool) -> None:
        self.node = node
        self.takes_key = is_map
        self._key = ""
        self._key_place = node.place
        self._keys: dict[str, tuple[Place, Node]] | None = None
        self._items: list[Node] = []
        if is_map:
            node.keys = self._keys = {}
        else:
            node.items = self._items

    def set_key(self, key: str, place: Place) -> None:
        """Set the key of the next value."""
        self._key, self._key_place, self.takes_key = key, place, False

    def add(self, node: Node) -> Problem | None:
        """Add a value. Return the problem of a key that the map already has."""
        keys, content = self._keys, self.node.value
        if keys is None:
            self._items.append(node)
            content.append(node.value)
            return None
        self.takes_key = True
        key, place = self._key, self._key_place
        if key == "<<" and isinstance(node.value, dict | list):
            self._merge(keys, content, node)
            return None
        first = keys.get(key)
        keys[key] = (place, node)
        content[key] = node.value
        if first is None or first[0] == MERGED:
            return None
        message = f"the key {key!r} is already in line {first[0].line}"
        return Problem(Rule.YAML_DUPLICATE_KEY, message, "Remove one: only the last one counts", place=place)

    @staticmethod
    def _merge(keys: dict[str, tuple[Place, Node]], content: dict[str, Any], merged: Node) -> None:
        """Add the entries of a merge. Keys of the map itself have precedence."""
        for one in merged.items or [merged]:
            for key, (_, node) in one.keys.items():
                if key not in keys:
                    keys[key] = (MERGED, node)
                    content[key] = node.value


class _Scalars(yaml.SafeLoader):
    """Types of scalars. Dates are texts, as in Kubernetes."""


_Scalars.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp", _MERGE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS: Final[Any] = _Scalars("")
_TYPES: Final[Mapping[str, Any]] = {
    "tag:yaml.org,2002:null": _SCALARS.construct_yaml_null,
    "tag:yaml.org,2002:bool": _SCALARS.construct_yaml_bool,
    "tag:yaml.org,2002:int": _SCALARS.construct_yaml_int,
    "tag:yaml.org,2002:float": _SCALARS.construct_yaml_float,
}


def _build_scalar(event: Any) -> Node:
    value = event.value
    if event.tag:
        value = _construct(event.tag, value)
    elif event.implicit[0]:
        value = _construct_plain(value)
    return Node(_place(event), value, _end(event), event.style or "")


@lru_cache(_CACHED_TEXTS)
def _construct_plain(text: str) -> Any:
    return _construct(_SCALARS.resolve(yaml.ScalarNode, text, (True, False)), text)


def _construct(tag: str, text: str) -> Any:
    construct = _TYPES.get(tag)
    if construct is None:
        return text
    try:
        return construct(yaml.ScalarNode(tag, text))
    except (ValueError, KeyError, IndexError):  # such as an int of 5,000 digits, or !!bool of another word
        return text


def _place(event: Any) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1)


def _end(event: Any) -> Place:
    mark = event.end_mark
    return Place(mark.line + 1, mark.column + 1)
