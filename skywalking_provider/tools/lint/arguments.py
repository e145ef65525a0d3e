"""Arguments of a template, with stand-ins for those without a value. No I/O."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
"""Tag of Argo: two pairs of braces with everything between them, even across lines."""
_PREFIX: Final = "args."
_HASH_LETTERS: Final = "bcdfghjklmnpqrstvwxz"

Path = tuple[str | int, ...]

STAND_INS: Final = ("", "5m", "0.9", "99", "2", "1", "http://oap:12800", "true")
"""Texts that are tried for an argument without a value. The first is a hash, which is a name as well."""
SECRET_STAND_IN: Final = "temp-for-secret"  # noqa: S105 - Argo validates templates with this text
"""Text that Argo itself writes for a secret when it validates a template."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The entries of `spec.args`.

    Attributes:
        names: Declared names.
        values: Values by name, of those that have one.
        secrets: Names of those that come from a Secret.
    """

    names: tuple[str, ...] = ()
    values: dict[str, str] | None = None
    secrets: frozenset[str] = frozenset()

    def is_known(self, name: str) -> bool:
        """Return whether an argument has a value here."""
        return name in (self.values or {}) or name in self.secrets

    def has_unknown(self, text: str) -> bool:
        """Return whether a text has an argument without a value."""
        return any(not self.is_known(name) for name in argument_names(text))

    def replace(self, text: str, attempt: int = 0) -> str:
        """Return a text with values, and stand-ins where there is none.

        Args:
            text: Text of the template.
            attempt: Position of the stand-in.
        """
        return TAG.sub(lambda match: self._value(match[1].strip(), attempt), text)

    def _value(self, tag: str, attempt: int) -> str:
        name = tag.removeprefix(_PREFIX)
        if name in (self.values or {}):
            return (self.values or {})[name]
        if name in self.secrets:
            return SECRET_STAND_IN
        return STAND_INS[attempt] or self._hash(name)

    def _hash(self, name: str) -> str:
        """Return a pod-template-hash that differs by argument: canary and stable must not look the same."""
        at = self.names.index(name) if name in self.names else len(self.names)
        return f"6c85f7b{_HASH_LETTERS[at // 20 % 20]}{_HASH_LETTERS[at % 20]}"


def argument_names(text: str) -> Iterator[str]:
    """Yield the names of the arguments in a text, without `args.`."""
    return (tag.strip().removeprefix(_PREFIX) for tag in TAG.findall(text))


def iter_texts(node: Any, path: Path = ()) -> Iterator[tuple[Path, str, bool]]:
    """Yield the texts of a value with their paths, and whether each is a key. The order is that of the text."""
    pending: list[tuple[Path, Any, bool]] = [(path, node, False)]
    while pending:
        at, value, is_key = pending.pop()
        if isinstance(value, str):
            yield at, value, is_key
        elif isinstance(value, dict):
            for key, one in reversed(value.items()):
                below = (*at, key)
                pending += ((below, one, False), (below, key, True))
        elif isinstance(value, list):
            pending += [((*at, number), one, False) for number, one in reversed(list(enumerate(value)))]


def replace_texts(node: Any, arguments: Arguments, attempts: dict[Path, int], path: Path = ()) -> Any:
    """Return a value with its arguments replaced, also in keys.

    Args:
        node: Value of the template.
        arguments: The arguments.
        attempts: Position of the stand-in by path.
        path: Path of the value.
    """
    match node:
        case str() if "{{" in node:
            return arguments.replace(node, attempts.get(path, 0))
        case dict():
            return {
                arguments.replace(key): replace_texts(value, arguments, attempts, (*path, key))
                for key, value in node.items()
            }
        case list():
            return [replace_texts(value, arguments, attempts, (*path, at)) for at, value in enumerate(node)]
    return node


def paths_with_unknown(node: Any, arguments: Arguments) -> Iterable[Path]:
    """Return the paths of the texts that have an argument without a value."""
    return [
        path for path, text, is_key in iter_texts(node) if not is_key and "{{" in text and arguments.has_unknown(text)
    ]
