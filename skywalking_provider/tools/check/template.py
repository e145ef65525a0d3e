"""Templates as files hold them: documents, metrics, arguments. Pure; what is no template is looked through."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from skywalking_provider.tools.templates import TEMPLATE_KINDS, is_list, is_template


class TemplateError(Exception):
    """What is wrong with a file; every line names the place and the remedy."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Argument:
    """An entry of `spec.args`.

    Attributes:
        name: Its name.
        value: Its own value; None where whoever starts the run gives it.
        secret: Whether it is read from a Secret.
    """

    name: str
    value: str | None
    secret: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A template of a file; its metrics are as written, arguments unresolved."""

    file: str
    kind: str
    name: str
    namespace: str
    arguments: tuple[Argument, ...]
    metrics: tuple[Mapping[str, Any], ...]
    references_templates: bool = False

    @property
    def location(self) -> str:
        """For errors."""
        return f"{self.file}: {self.kind} {self.name}"


def parse_templates(text: str, file: str) -> list[Template]:
    """The templates of a YAML text; other objects in it, and lists of objects, are looked through.

    Args:
        text: One document or several.
        file: Its name, for errors.

    Raises:
        TemplateError: It is not YAML, has no template, or one that Argo would not take.
    """
    found = [
        _parse_template(one, file)
        for document in _load_documents(text, file)
        for one in _iter_objects(document)
        if is_template(str(one.get("kind")), str(one.get("apiVersion")))
    ]
    if not found:
        raise TemplateError(f"{file}: has no {' and no '.join(TEMPLATE_KINDS)}")
    return found


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date is text."""


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
        remedy = '; quote text that begins with an argument: "{{args.name}}"' if quote else ""
        raise TemplateError(f"{file}:{line}: is not YAML: {error.problem}{remedy}") from error
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
    about = document.get("metadata")
    about = about if isinstance(about, dict) else {}
    name = str(about.get("name") or about.get("generateName") or "without a name")
    place = f"{file}: {document['kind']} {name}"
    spec = document.get("spec")
    if not isinstance(spec, dict):
        raise TemplateError(f"{place}: spec: is missing")
    metrics = spec.get("metrics") or []
    if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
        raise TemplateError(f"{place}: spec.metrics: is no list of metrics")
    arguments = tuple(_parse_argument(argument, f"{place}: spec.args") for argument in spec.get("args") or [])
    namespace = str(about.get("namespace") or "")
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
                raise TemplateError(f'{location}: {name}: Argo takes text only; quote it: value: "{value}"')
            source = entry.get("valueFrom")
            return Argument(name, value, secret=isinstance(source, dict) and "secretKeyRef" in source)
    raise TemplateError(f"{location}: an argument needs a name")
