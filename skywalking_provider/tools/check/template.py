"""Templates in YAML files: documents, metrics and arguments. Other Kubernetes objects are ignored. No I/O."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from skywalking_provider.tools.templates import TEMPLATE_KINDS, is_list, is_template


class TemplateError(Exception):
    """Problems of a file. Each line names the place and the next step."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Argument:
    """An entry of `spec.args`.

    Attributes:
        name: Name of the argument.
        value: Default value; None if the run must set it.
        secret: Whether the value comes from a Secret.
    """

    name: str
    value: str | None
    secret: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A template of a file. Arguments in its metrics are not replaced yet."""

    file: str
    kind: str
    name: str
    namespace: str
    arguments: tuple[Argument, ...]
    metrics: tuple[Mapping[str, Any], ...]
    references_templates: bool = False

    @property
    def location(self) -> str:
        """Place of the template, for errors."""
        return f"{self.file}: {self.kind} {self.name}"


def parse_templates(text: str, file: str) -> list[Template]:
    """Return the templates of a YAML text, also those in a List. Other objects are ignored.

    Args:
        text: YAML with one or more documents.
        file: Name of the file, for errors.

    Raises:
        TemplateError: The text is not YAML, has no template, or has one that Argo rejects.
    """
    templates = [
        _parse_template(one, file)
        for document in _load_documents(text, file)
        for one in _iter_objects(document)
        if is_template(str(one.get("kind")), str(one.get("apiVersion")))
    ]
    if not templates:
        raise TemplateError(f"{file}: has no {' or '.join(TEMPLATE_KINDS)}")
    return templates


class _Loader(yaml.SafeLoader):
    """YAML loader that reads dates as text, as Kubernetes does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _load_documents(text: str, file: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        written = text.splitlines()[line - 1] if mark and line <= len(text.splitlines()) else ""
        quote = re.search(r":\s*\{\{", written) or "unhashable" in str(error.problem)
        hint = '. Quote text that begins with an argument: "{{args.name}}"' if quote else ""
        raise TemplateError(f"{file}:{line}: is not YAML: {error.problem}{hint}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TemplateError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error


def _iter_objects(document: Any) -> Iterator[Mapping[str, Any]]:
    match document:
        case {"kind": str(kind), "items": list(items)} if is_list(kind):
            for item in items:
                yield from _iter_objects(item)
        case dict():
            yield document


def _parse_template(document: Mapping[str, Any], file: str) -> Template:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = str(metadata.get("name") or metadata.get("generateName") or "without a name")
    place = f"{file}: {document['kind']} {name}"
    spec = document.get("spec")
    if not isinstance(spec, dict):
        raise TemplateError(f"{place}: spec: is missing")
    metrics = spec.get("metrics") or []
    if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
        raise TemplateError(f"{place}: spec.metrics: is not a list of metrics")
    arguments = tuple(_parse_argument(argument, f"{place}: spec.args") for argument in spec.get("args") or [])
    namespace = str(metadata.get("namespace") or "")
    return Template(
        file,
        document["kind"],
        name,
        namespace,
        arguments,
        tuple(metrics),
        references_templates=bool(spec.get("templates")),
    )


def _parse_argument(entry: Any, location: str) -> Argument:
    match entry:
        case {"name": str(name)}:
            value = entry.get("value")
            if value is not None and not isinstance(value, str):
                raise TemplateError(f'{location}: {name}: is not text. Quote it: value: "{value}"')
            source = entry.get("valueFrom")
            return Argument(name, value, secret=isinstance(source, dict) and "secretKeyRef" in source)
    raise TemplateError(f"{location}: an argument has no name")
