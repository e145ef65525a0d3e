"""Comparison of two versions of a JSON Schema: documents that the old one accepts and the new one may reject.

It compares the keywords that the published schemas use, in drafts 7 and 2020-12. A keyword whose effect it does not
know, such as `pattern` or `not`, counts as narrowed when it is added or changed. That the branches of a `oneOf` exclude
each other is not compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ANNOTATIONS = frozenset(
    ("$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "description", "examples", "title")
)
_LOWER_BOUNDS = frozenset(("exclusiveMinimum", "minItems", "minLength", "minProperties", "minimum"))
_UPPER_BOUNDS = frozenset(("exclusiveMaximum", "maxItems", "maxLength", "maxProperties", "maximum"))
_UNIONS = ("anyOf", "oneOf")
_COMPARED = frozenset(
    ("$ref", "additionalProperties", "const", "enum", "items", "properties", "propertyNames", "required", "type")
)
_KNOWN = _ANNOTATIONS | _LOWER_BOUNDS | _UPPER_BOUNDS | _COMPARED | frozenset(_UNIONS)

Schema = Mapping[str, Any] | bool


def find_incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each place in which the new schema is narrower than the old one."""
    return list(dict.fromkeys(_Comparison(old, new).compare(old, new, "")))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Mapping[str, Any]
    new_root: Mapping[str, Any]
    open: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of references whose comparison is in progress: a recursive schema is compared once."""

    def compare(self, old: Schema, new: Schema, path: str) -> list[str]:
        if old is False or new is True:
            return []
        if new is False:
            return [f"{path or '/'}: is not allowed any more"]
        old = {} if old is True else old
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if pair in self.open:
            return []
        with self._progress(pair) if "$ref" in old and "$ref" in new else nullcontext():
            return list(self._compare(_resolve(old, self.old_root), _resolve(new, self.new_root), path))

    @contextmanager
    def _progress(self, pair: tuple[str, str]) -> Iterator[None]:
        self.open.add(pair)
        yield
        self.open.discard(pair)

    def _compare(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        if "enum" in old or "const" in old:
            yield from self._values(old, new, path)
        elif (parts := _branches(old, split_types=_union(new) is not None)) is not None:
            for part in parts:
                yield from self.compare(part, new, path)
        elif (parts := _branches(new)) is not None:
            same = [part for part in parts if _types(old) & _types(_resolve(part, self.new_root))]
            yield from min((self.compare(old, part, path) for part in same or parts), key=len)
        else:
            yield from self._keywords(old, new, path or "/")
            yield from self._parts(old, new, path)

    def _values(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        definitions = {key: self.new_root[key] for key in ("$defs", "definitions") if key in self.new_root}
        accepts = Draft202012Validator({**definitions, **new}).is_valid
        for value in [old["const"]] if "const" in old else old["enum"]:
            if not accepts(value):
                yield f"{path or '/'}: the value {value!r} is not allowed any more"

    def _keywords(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        if lost := _types(old) - _types(new):
            yield f"{path}: the type {' or '.join(sorted(lost))} is not allowed any more"
        for key in sorted(new.keys() & {"enum", "const"}):
            yield f"{path}: allows only {new[key]!r} now"
        for key in sorted(new.keys() & (_LOWER_BOUNDS | _UPPER_BOUNDS)):
            if key not in old or (new[key] > old[key] if key in _LOWER_BOUNDS else new[key] < old[key]):
                yield f"{path}: {key} is {new[key]} now, was {old.get(key, 'not set')}"
        for key in sorted(new.keys() - _KNOWN):
            if key not in old or self._plain(old[key], self.old_root) != self._plain(new[key], self.new_root):
                yield f"{path}: {key} {'changed' if key in old else 'was added'}"
        for key in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}: the key {key} is required now"

    def _parts(self, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
        old_keys, new_keys = old.get("properties", {}), new.get("properties", {})
        old_others, new_others = old.get("additionalProperties", True), new.get("additionalProperties", True)
        for key, part in old_keys.items():
            if key not in new_keys and new_others is False:
                yield f"{path}/{key}: the key was removed"
            else:
                yield from self.compare(part, new_keys.get(key, new_others), f"{path}/{key}")
        for key in new_keys.keys() - old_keys.keys():
            yield from self.compare(old_others, new_keys[key], f"{path}/{key}")
        yield from self.compare(old_others, new_others, f"{path}/*")
        yield from self.compare(old.get("items", True), new.get("items", True), f"{path}/[]")
        yield from self.compare(old.get("propertyNames", True), new.get("propertyNames", True), f"{path}/(names)")

    def _plain(self, part: Any, root: Mapping[str, Any]) -> Any:
        """Return a part without annotations, with the targets of its references."""
        match part:
            case dict():
                part = _resolve(part, root)
                return {key: self._plain(value, root) for key, value in part.items() if key not in _ANNOTATIONS}
            case list():
                return [self._plain(one, root) for one in part]
        return part


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while isinstance(reference := schema.get("$ref"), str):
        target: Any = root
        for name in reference.removeprefix("#").removeprefix(str(root.get("$id"))).strip("#/").split("/"):
            target = target[name] if name else target
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _union(schema: Mapping[str, Any]) -> str | None:
    return next((key for key in _UNIONS if key in schema), None)


def _branches(schema: Mapping[str, Any], *, split_types: bool = False) -> list[Mapping[str, Any]] | None:
    """Return the alternatives of a schema, each with the keywords beside the union; None if it has one only."""
    if (key := _union(schema)) is None:
        types = schema.get("type")
        return [{**schema, "type": one} for one in types] if split_types and isinstance(types, list) else None
    beside = {name: value for name, value in schema.items() if name != key}
    return [_merge(beside, {} if branch is True else branch) for branch in schema[key] if branch is not False]


def _merge(beside: Mapping[str, Any], branch: Mapping[str, Any]) -> Mapping[str, Any]:
    merged = {**beside, **branch}
    if "required" in beside and "required" in branch:
        merged["required"] = [*beside["required"], *branch["required"]]
    return merged


def _types(schema: Mapping[str, Any]) -> set[str]:
    types: str | Iterable[str] = schema.get("type", _TYPES)
    allowed = {types} if isinstance(types, str) else set(types)
    return allowed | {"integer"} if "number" in allowed else allowed
