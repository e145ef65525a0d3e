"""Parts of YAML documents with their positions. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from skywalking_provider.tools.lint.findings import Place

NOWHERE: Final = Place(0, 0)
MERGED: Final = NOWHERE
"""Place of a key that a merge (`<<`) added, until the map writes it itself."""
_NO_KEYS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Node:
    """A part of a document with its position.

    Attributes:
        place: Start of the part.
        value: Content, with aliases and merges resolved.
        end: Behind the last character of the part.
        style: YAML's mark of a scalar: `'`, `"`, `|` or `>`; empty for a plain one.
        keys: Entries of a map by key: the place of the key, and the value's node.
        items: Items of a list.
        size: Number of values in it with aliases expanded.
        depth: Number of levels in it.
    """

    place: Place
    value: Any = None
    end: Place = NOWHERE
    style: str = ""
    keys: Mapping[str, tuple[Place, "Node"]] = field(default_factory=lambda: _NO_KEYS)
    items: Sequence["Node"] = ()
    size: int = 1
    depth: int = 1

    @property
    def is_block_text(self) -> bool:
        """Whether it is a scalar whose text begins in the next line."""
        return self.style in ("|", ">")

    @property
    def is_quoted(self) -> bool:
        """Whether it is a scalar in quotes."""
        return self.style in ("'", '"')


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a YAML text.

    Attributes:
        root: Its root.
    """

    root: Node

    def place(self, path: tuple[str | int, ...], *, at_key: bool = False) -> Place:
        """Return the place of a path. Parts that the document does not have are skipped."""
        node = self.root
        place = node.place
        for part in path:
            if isinstance(part, int) and part < len(node.items):
                node = node.items[part]
                place = node.place
            elif isinstance(part, str) and part in node.keys:
                key, node = node.keys[part]
                place = key if at_key and key != MERGED else node.place
        return place

    def end_column(self, path: tuple[str | int, ...], *, at_key: bool = False) -> int:
        """Return the column behind the key or value of a path; 0 if it ends in another line or is not there."""
        node = self.find(path)
        if node is None or not path:
            return 0
        if at_key:
            return self.place(path, at_key=True).column + len(str(path[-1]))
        return node.end.column if node.end.line == node.place.line else 0

    def find(self, path: tuple[str | int, ...]) -> Node | None:
        """Return the node of a path; None if the document does not have it."""
        node: Node | None = self.root
        for part in path:
            if node is None:
                return None
            if isinstance(part, int):
                node = node.items[part] if part < len(node.items) else None
            else:
                node = node.keys[part][1] if part in node.keys else None
        return node
