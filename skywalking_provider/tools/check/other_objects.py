"""Objects without metrics of their own, such as a Rollout: a line about what is skipped, and where its metrics are."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from skywalking_provider.tools.templates import is_argo_object


@dataclass(frozen=True, slots=True)
class OtherObject:
    """An object without metrics of its own.

    Attributes:
        kind: Kind of the object.
        name: Name of the object; empty for none.
        of_argo: Whether it belongs to Argo.
        templates: Names of the templates that its analyses use.
    """

    kind: str
    name: str
    of_argo: bool
    templates: tuple[str, ...] = ()

    def describe(self, known: AbstractSet[str]) -> str:
        """Return why the object is skipped, in one line.

        Args:
            known: Names of the templates that are checked.
        """
        title = f"{self.kind} {self.name}".strip()
        if not self.templates:
            return f"{title}: skipped, it has no metrics"
        noun = "template" if len(self.templates) == 1 else "templates"
        text = f"{title}: skipped, its metrics are in the {noun} {_join(self.templates)}"
        absent = [name for name in self.templates if name not in known]
        return f"{text}. Check {_join(absent)}, too" if absent else text


def describe_other_object(document: Mapping[str, Any]) -> OtherObject:
    """Return an object with the names of the templates that its analyses use."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    of_argo = is_argo_object(str(document.get("apiVersion")))
    templates = dict.fromkeys(_iter_template_names(document)) if of_argo else ()
    return OtherObject(str(document.get("kind") or "an object without a kind"), str(name or ""), of_argo, (*templates,))


def describe_other_objects(others: Sequence[OtherObject], known: AbstractSet[str]) -> list[str]:
    """Return a line for each object of Argo, and one for all others together.

    Args:
        others: Objects of all files.
        known: Names of the templates that are checked.
    """
    lines = [one.describe(known) for one in others if one.of_argo]
    kinds = [one.kind for one in others if not one.of_argo]
    if kinds:
        objects = "1 object" if len(kinds) == 1 else f"{len(kinds)} objects"
        lines.append(f"{objects} of other kinds: skipped ({', '.join(sorted(set(kinds)))})")
    return lines


def _iter_template_names(node: Any) -> Iterator[str]:
    match node:
        case dict():
            name = node.get("templateName")
            if isinstance(name, str):
                yield name
            for value in node.values():
                yield from _iter_template_names(value)
        case list():
            for value in node:
                yield from _iter_template_names(value)


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
