"""YAML text to documents and problems. It never raises because of the text. No I/O."""

from dataclasses import dataclass
from typing import Final

import yaml

from skywalking_provider.tools.lint.findings import Place, Problem
from skywalking_provider.tools.lint.registry import Rule
from skywalking_provider.tools.lint.yaml_composer import Composer, LimitError
from skywalking_provider.tools.lint.yaml_nodes import Document
from skywalking_provider.tools.templates import find_helm_markup, helm_hint

_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class ParsedYaml:
    """The documents of a text, up to the first error of its syntax.

    Attributes:
        documents: Documents without empty ones.
        problems: Problems of syntax, limits and keys.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]


def parse_yaml(text: str) -> ParsedYaml:
    """Parse a text with any number of documents."""
    documents: list[Document] = []
    composer = Composer()
    try:
        for document in composer.compose(text.removeprefix(_BYTE_ORDER_MARK)):
            documents.append(document)  # noqa: PERF402 - an error must keep those before it
    except LimitError as error:
        composer.problems.append(error.problem)
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, text))
    except yaml.reader.ReaderError as error:
        composer.problems.append(_character_problem(error, text))
    return ParsedYaml(tuple(documents), _merge_helm_problems(composer.problems, text))


def _merge_helm_problems(problems: list[Problem], text: str) -> tuple[Problem, ...]:
    """Return one problem for a Helm template instead of the errors that its actions are in YAML."""
    of_syntax = [one for one in problems if one.rule is Rule.YAML_INVALID]
    markup = find_helm_markup(text) if of_syntax else ""
    if not markup:
        return tuple(problems)
    hint = helm_hint("lint").removesuffix(".")
    helm = Problem(Rule.HELM_TEMPLATE, f"{markup} is not YAML", hint, place=of_syntax[0].place)
    return (helm, *(one for one in problems if one.rule is not Rule.YAML_INVALID))


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place()
    lines = text.splitlines()
    written = lines[place.line - 1] if place.line <= len(lines) else ""
    hint = "Correct the syntax"
    if "{{" in written:
        hint = 'Quote text that begins with an argument: "{{args.name}}"'
    elif "\t" in written[: len(written) - len(written.lstrip())]:
        hint = "Indent with spaces"
    return Problem(Rule.YAML_INVALID, f"is not YAML: {error.problem}", hint, place=place)


def _character_problem(error: yaml.reader.ReaderError, text: str) -> Problem:
    position = error.position if isinstance(error.position, int) else 0
    before = text[:position]
    place = Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)
    code = ord(error.character) if isinstance(error.character, str) else int(error.character)
    return Problem(Rule.YAML_INVALID, f"is not YAML: it has the character U+{code:04X}", "Remove it", place=place)
