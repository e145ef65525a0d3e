"""Templates and runs in YAML files: documents, metrics and arguments. No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from skywalking_provider.tools.check.other_objects import OtherObject, describe_other_object
from skywalking_provider.tools.templates import (
    TEMPLATE_KINDS,
    find_helm_markup,
    helm_hint,
    is_argo_object,
    is_list,
    is_template,
)

_MAX_VALUES: Final = 200_000
"""Lists and mappings of a file. The API server accepts objects of 1.5 MiB at most."""
_MAX_DEPTH: Final = 100
RUN_KIND: Final = "AnalysisRun"
"""Kind of a run. It has its own copy of the metrics, and the values of the arguments."""


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
    """A template or a run of a file. Arguments in its metrics are not replaced yet.

    Attributes:
        file: Name of the file.
        document: Whole object.
        kind: Kind of the object.
        name: Name of the object.
        namespace: Namespace of the object; empty for none.
        arguments: Entries of `spec.args`.
        metrics: Entries of `spec.metrics`.
        references_templates: Whether it includes the metrics of other templates.
    """

    file: str
    document: Mapping[str, Any]
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


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The objects of a file.

    Attributes:
        file: Name of the file.
        templates: Templates and runs.
        others: Objects without metrics of their own.
    """

    file: str
    templates: tuple[Template, ...]
    others: tuple[OtherObject, ...]


def parse_file(text: str, file: str) -> ParsedFile:
    """Return the objects of a YAML text, also those in a List.

    Args:
        text: YAML with one or more documents.
        file: Name of the file, for errors.

    Raises:
        TemplateError: The text is not YAML, or has a template that cannot be read.
    """
    templates, others = [], []
    for document in _load_documents(text, file):
        for one in _iter_objects(document):
            kind, api_version = str(one.get("kind")), str(one.get("apiVersion"))
            if is_template(kind, api_version) or (kind == RUN_KIND and is_argo_object(api_version)):
                templates.append(_parse_template(one, file))
            else:
                others.append(describe_other_object(one))
    return ParsedFile(file, tuple(templates), tuple(others))


def require_templates(files: Sequence[ParsedFile]) -> list[Template]:
    """Return the templates and runs of all files.

    Raises:
        TemplateError: No file has one. Each line names what a file has instead.
    """
    templates = [template for file in files for template in file.templates]
    if not templates:
        raise TemplateError(*map(_describe_file_without_template, files))
    return templates


def _describe_file_without_template(file: ParsedFile) -> str:
    found = "".join(f" {one.describe(frozenset())}." for one in file.others if one.of_argo)
    return f"{file.file}: has no {', '.join(TEMPLATE_KINDS)} or {RUN_KIND}.{found}".removesuffix(".")


def parse_templates(text: str, file: str) -> list[Template]:
    """Return the templates and runs of one YAML text, which has at least one."""
    return require_templates([parse_file(text, file)])


class _Loader(yaml.SafeLoader):
    """YAML loader that reads dates as text, as Kubernetes does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _load_documents(text: str, file: str) -> list[Any]:
    documents = _load_yaml(text, file)
    if not _is_bounded(documents):
        limits = f"{_MAX_VALUES:,} values or {_MAX_DEPTH} levels"
        raise TemplateError(f"{file}: is too large: it expands to more than {limits}. Remove YAML aliases")
    return documents


def _is_bounded(documents: list[Any]) -> bool:
    """Return whether objects have few values and levels. Aliases of YAML can expand to billions, or to a cycle."""
    nodes: list[tuple[Any, int]] = [(documents, 0)]
    for _ in range(_MAX_VALUES):
        if not nodes:
            return True
        node, depth = nodes.pop()
        if depth > _MAX_DEPTH:
            return False
        if isinstance(node, dict | list):
            values = node.values() if isinstance(node, dict) else node
            nodes.extend((value, depth + 1) for value in values if isinstance(value, dict | list))
    return False


def _load_yaml(text: str, file: str) -> list[Any]:
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        written = text.splitlines()[line - 1] if mark and line <= len(text.splitlines()) else ""
        hint = ""
        if find_helm_markup(text):
            hint = f". {helm_hint('check')}"
        elif re.search(r":\s*\{\{", written) or "unhashable" in str(error.problem):
            hint = '. Quote text that begins with an argument: "{{args.name}}"'
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
    for path, text in _iter_texts({"metadata": {"name": name}, "spec": spec}, ""):
        if markup := find_helm_markup(text):
            raise TemplateError(f"{place}: {path}: {markup} is not an argument of Argo. {helm_hint('check')}")
    if not isinstance(spec, dict):
        raise TemplateError(f"{place}: spec: is missing")
    metrics = spec.get("metrics") or []
    if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
        raise TemplateError(f"{place}: spec.metrics: is not a list of metrics")
    entries = spec.get("args") or []
    if not isinstance(entries, list):
        raise TemplateError(f"{place}: spec.args: is not a list of arguments")
    arguments = tuple(_parse_argument(argument, f"{place}: spec.args") for argument in entries)
    return Template(
        file,
        document,
        document["kind"],
        name,
        str(metadata.get("namespace") or ""),
        arguments,
        tuple(metrics),
        references_templates=bool(spec.get("templates")),
    )


def _iter_texts(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of an object with their places, keys included."""
    match node:
        case str():
            yield path, node
        case dict():
            for key, value in node.items():
                place = f"{path}.{key}" if path else str(key)
                yield place, str(key)
                yield from _iter_texts(value, place)
        case list():
            for at, value in enumerate(node):
                yield from _iter_texts(value, f"{path}[{at}]")


def _parse_argument(entry: Any, location: str) -> Argument:
    match entry:
        case {"name": str(name)}:
            value = entry.get("value")
            if value is not None and not isinstance(value, str):
                raise TemplateError(f'{location}: {name}: is not text. Quote it: value: "{value}"')
            source = entry.get("valueFrom")
            return Argument(name, value, secret=isinstance(source, dict) and "secretKeyRef" in source)
    raise TemplateError(f"{location}: an argument has no name")
