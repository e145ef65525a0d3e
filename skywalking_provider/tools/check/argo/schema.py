"""Keys and types of a template by the schema of Argo's CRDs, which `tools/crd_schema.py` reads from Argo's module.

The API server rejects a value of a wrong type. It removes an unknown key. `kubectl apply` asks it to reject the whole
object instead; other clients get a warning at most.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from rapidfuzz.distance import OSA, Indel

from skywalking_provider.support.suggestions import MAX_NAME_CHARACTERS, did_you_mean

_MISSPELT: Final = 0.85
"""Similarity of 0 to 1 from which an unknown key is a misspelling, and not the key of a newer version of Argo.

consecutiveSuccessLimit, which Argo 1.8 added, has 0.77 with consecutiveErrorLimit."""
_MIN_TYPO_CHARACTERS: Final = 4
_MAX_INT32: Final = (1 << 31) - 1
_ANY_KEYS: Final = "x-kubernetes-preserve-unknown-fields"
_INT_OR_TEXT: Final = "x-kubernetes-int-or-string"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_KEYS_OF_A_ROLLOUT: Final = {"podTemplateHashValue": "Write it into the arguments of the Rollout's analysis"}
_HINTS: Final[Mapping[str, str]] = {
    "object": "is not a mapping of keys. Write key: value",
    "array": "is not a list. Begin each entry with -",
    "string": "is not text. Quote it",
    "integer": "is not a whole number. Write it without quotes",
    "number": "is not a number. Write it without quotes",
    "boolean": "is not true or false. Write one of them without quotes",
}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """A difference from the schema.

    Attributes:
        path: Keys and positions that lead to the place.
        message: The problem with its place and the next step.
        rejected: Whether the template is wrong; otherwise the key is unknown and removed.
    """

    path: tuple[str | int, ...]
    message: str
    rejected: bool


def find_schema_problems(document: Mapping[str, Any], kind: str) -> list[SchemaProblem]:
    """Return the differences of an object from the schema of its kind, in the order of the text.

    Args:
        document: The whole object.
        kind: Kind of the object; every kind but AnalysisRun has the schema of an AnalysisTemplate.
    """
    schemas = load_crd_schemas()
    return list(_walk(document, schemas.get(kind, schemas["AnalysisTemplate"]), (), ()))


@cache
def load_crd_schemas() -> Mapping[str, Any]:
    """Return the schemas of Argo's CRDs by kind. A ClusterAnalysisTemplate has the one of an AnalysisTemplate."""
    text = resources.files(__package__).joinpath("crd_schema.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def _walk(
    node: Any, schema: Mapping[str, Any], path: tuple[str | int, ...], around: tuple[tuple[str, Mapping[str, Any]], ...]
) -> Iterator[SchemaProblem]:
    if node is None:
        return
    if schema.get(_INT_OR_TEXT):
        if isinstance(node, bool) or not isinstance(node, int | str):
            yield SchemaProblem(path, f"{format_path(path)}: is not a whole number. Write one", rejected=True)
        elif isinstance(node, int) and abs(node) > _MAX_INT32:
            yield SchemaProblem(path, f"{format_path(path)}: has more than 32 bits. Write a smaller one", rejected=True)
        return
    kind = schema.get("type", "")
    if kind and not _has_type(node, kind):
        yield SchemaProblem(path, f"{format_path(path)}: {_HINTS[kind]}", rejected=True)
    elif isinstance(node, list):
        items: Mapping[str, Any] = schema.get("items", {})
        for at, one in enumerate(node):
            if one is None and items.get("type"):  # Kubernetes removes the key of a null, but keeps it in a list
                yield SchemaProblem((*path, at), f"{format_path((*path, at))}: {_HINTS[items['type']]}", rejected=True)
            yield from _walk(one, items, (*path, at), around)
    elif isinstance(node, dict) and not schema.get(_ANY_KEYS):
        yield from _walk_keys(node, schema, path, around)


def _walk_keys(
    node: Mapping[Any, Any],
    schema: Mapping[str, Any],
    path: tuple[str | int, ...],
    around: tuple[tuple[str, Mapping[str, Any]], ...],
) -> Iterator[SchemaProblem]:
    known: Mapping[str, Any] = schema.get("properties", {})
    for key in schema.get("required", ()):
        if node.get(key) is None:
            yield SchemaProblem((*path, key), f"{format_path((*path, key))}: is missing", rejected=True)
    levels = (*around, (format_path(path), known))
    for key, value in node.items():
        place = (*path, str(key))
        if "additionalProperties" in schema:
            yield from _walk(value, schema["additionalProperties"], place, levels)
        elif key in known:
            yield from _walk(value, known[key], place, levels)
        elif known:
            yield _unknown_key(str(key), place, known, around)


def _unknown_key(
    key: str,
    path: tuple[str | int, ...],
    known: Mapping[str, Any],
    around: tuple[tuple[str, Mapping[str, Any]], ...],
) -> SchemaProblem:
    """Return the problem of an unknown key. It is wrong if it resembles a key, or belongs to a level around it."""
    place = f"unknown key {format_path(path)}"
    if any(_is_misspelt(key.casefold(), one.casefold()) for one in known):
        return SchemaProblem(path, f"{place}. {did_you_mean(key, known, 'keys')}", rejected=True)
    for level, keys in reversed(around):
        if key in keys:
            return SchemaProblem(path, f"{place}. It belongs to {level or 'the top level'}", rejected=True)
    hint = _KEYS_OF_A_ROLLOUT.get(key) or f"Known keys: {', '.join(sorted(known))}"
    return SchemaProblem(path, f"{place}, which Kubernetes removes. {hint}", rejected=False)


def _is_misspelt(key: str, known: str) -> bool:
    """Return whether a key resembles a known one, or differs by one character or one exchange of neighbours."""
    if len(key) > MAX_NAME_CHARACTERS:
        return False
    one_typo = len(known) >= _MIN_TYPO_CHARACTERS and OSA.distance(key, known, score_cutoff=1) <= 1
    return one_typo or Indel.normalized_similarity(key, known) >= _MISSPELT


def _has_type(node: Any, kind: str) -> bool:
    if isinstance(node, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(node, float):
        return node.is_integer()
    return isinstance(node, _TYPES[kind])


def format_path(path: tuple[str | int, ...]) -> str:
    """Return a path as Kubernetes writes it: `spec.metrics[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
