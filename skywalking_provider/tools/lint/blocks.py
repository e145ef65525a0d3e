"""Parsing of blocks whose arguments may have no value. No I/O.

The service's own parser decides. An argument without a value gets one stand-in after the other until the parser accepts
the block, so that no list of keys and types has to be kept here. A key that no stand-in suits is not reported.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from skywalking_provider.analysis.evaluation import select_conditions
from skywalking_provider.block import BlockError, Spec, parse_block
from skywalking_provider.block.common import InvalidKeyError
from skywalking_provider.block.graphql_syntax import QuerySyntaxError
from skywalking_provider.block.key_hints import hint_for_key
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Metric
from skywalking_provider.support.strict_model import StrictModel
from skywalking_provider.support.validation_messages import format_validation_error
from skywalking_provider.tools.lint.arguments import STAND_INS, Path, paths_with_unknown, replace_texts
from skywalking_provider.tools.lint.findings import Place, Problem, split_hint
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.registry import Rule

_MAX_ROUNDS: Final = 16
_BUILT_IN: Final = {"compatibility": "argo"}
"""Key of a block that behaves as the one of Argo's built-in provider."""
_HINT: Final = "See docs/block.md"


@dataclass(frozen=True, slots=True)
class Block:
    """A block and what the parser makes of it.

    Attributes:
        spec: The spec; None if the block is invalid, or if no stand-in suits it.
        unknown: Paths in the block whose texts have an argument without a value.
        problems: Why the block is invalid.
    """

    spec: Spec | None
    unknown: frozenset[Path] = frozenset()
    problems: tuple[Problem, ...] = ()

    def knows(self, *keys: str) -> bool:
        """Return whether the values of these keys are known. A key of a lower level is written with dots."""
        paths = [tuple(key.split(".")) for key in keys]
        return not any(one[: len(path)] == path[: len(one)] for one in self.unknown for path in paths)


def read_block(metric: TemplateMetric) -> Block:
    """Parse the block of a metric, with stand-ins for arguments without a value."""
    attempts = dict.fromkeys(paths_with_unknown(metric.block, metric.arguments), 0)
    unknown = frozenset(attempts)
    for _ in range(_MAX_ROUNDS):
        parsed = _parse(metric, attempts)
        if not isinstance(parsed, BlockError):
            return Block(parsed, unknown, tuple(_condition_problems(metric, parsed)))
        details = _details(parsed)
        if not _advance(details, attempts):
            other = _find_valid_variant(metric, attempts) if any(map(_concerns_several, details)) else None
            if other is not None:
                return Block(other, unknown)
            problems = tuple(_problems(metric, parsed, details, attempts))
            return Block(_parse_known_keys(metric, attempts, details), unknown, problems)
    return Block(None, unknown)


def _parse_known_keys(
    metric: TemplateMetric, attempts: dict[Path, int], details: Sequence[ErrorDetails]
) -> Spec | None:
    """Return the spec without the unknown keys, so that other rules find their mistakes, too; None for other errors."""
    if not details or any(one["type"] != "extra_forbidden" for one in details):
        return None
    content = replace_texts(metric.block, metric.arguments, attempts)
    for one in details:
        *above, key = one["loc"]
        level = reduce(lambda node, part: node.get(part, node) if isinstance(node, dict) else node, above, content)
        if isinstance(level, dict):
            level.pop(key, None)
    try:
        return parse_block(_encode(content))
    except BlockError:
        return None


def _parse(metric: TemplateMetric, attempts: dict[Path, int]) -> Spec | BlockError:
    content = replace_texts(metric.block, metric.arguments, attempts)
    if not metric.is_plugin and isinstance(content, dict):
        content |= _BUILT_IN
    try:
        return parse_block(_encode(content))
    except BlockError as error:
        return error


def _find_valid_variant(metric: TemplateMetric, attempts: dict[Path, int]) -> Spec | None:
    """Return the spec with another stand-in for one argument, if an error across keys then disappears."""
    for path, attempt in product(attempts, range(len(STAND_INS))):
        parsed = _parse(metric, {**attempts, path: attempt})
        if not isinstance(parsed, BlockError):
            return parsed
    return None


def _encode(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _condition_problems(metric: TemplateMetric, spec: Spec) -> Iterator[Problem]:
    """Yield the problem of conditions in the metric and in the block."""
    success, failure = (metric.arguments.replace(metric.text(key)) for key in ("successCondition", "failureCondition"))
    try:
        select_conditions(spec, Metric(metric.argo.name, success, failure, b""))
    except ProviderError as error:
        message = error.message.removeprefix("the block of the metric is invalid: ")
        yield Problem(Rule.BLOCK_INVALID, message, error.hint, (*metric.block_path, "conditions"), at_key=True)


def _details(error: BlockError) -> list[ErrorDetails]:
    cause = error.__cause__
    return cause.errors(include_url=False) if isinstance(cause, ValidationError) else []


def _advance(details: Sequence[ErrorDetails], attempts: dict[Path, int]) -> bool:
    """Select the next stand-in for each path with an error; return whether there was one."""
    concerned = {path for one in details for path in _concerned(one, attempts)}
    advanced = [path for path in concerned if attempts[path] + 1 < len(STAND_INS)]
    for path in advanced:
        attempts[path] += 1
    return bool(advanced)


def _concerned(detail: ErrorDetails, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the unknown paths that an error is about; none for one across keys."""
    for path in () if _concerns_several(detail) else paths:
        keys = [part for part in path if isinstance(part, str)]
        if [one for one in detail["loc"] if one in keys][: len(keys)] == keys[: len(detail["loc"])]:
            yield path


def _concerns_several(detail: ErrorDetails) -> bool:
    """Return whether an error is about several keys: a validator of a whole level found it."""
    return not detail["loc"] or isinstance(detail.get("ctx", {}).get("error"), InvalidKeyError)


def _problems(
    metric: TemplateMetric, error: BlockError, details: Sequence[ErrorDetails], attempts: dict[Path, int]
) -> Iterator[Problem]:
    if not details:
        path = metric.block_path if not error.key else (*metric.block_path, error.key)
        yield _problem(error.problem, path, at_key=not error.key)
        return
    cause = error.__cause__
    model = _find_model(cause.title) if isinstance(cause, ValidationError) else None
    for detail in details:
        if model is None or any(True for _ in _concerned(detail, attempts)):
            continue
        message = format_validation_error(_single(model, detail), model, key_hint=hint_for_key)
        if not message:  # of a branch of a union that the author did not use
            continue
        context = detail.get("ctx", {}).get("error")
        path = tuple(context.key.split(".")) if isinstance(context, InvalidKeyError) else detail["loc"]
        found = _problem(message, (*metric.block_path, *path), at_key=detail["type"] == "extra_forbidden")
        line = context.line if isinstance(context, QuerySyntaxError) else 0
        yield replace(found, place=_place_of_line(metric, found.path, line))


def _place_of_line(metric: TemplateMetric, path: Path, line: int) -> Place | None:
    """Return the place of a line of a text in block style; None for another text."""
    node = metric.owner.document.find(path)
    if not line or node is None or not node.is_block_text:
        return None
    return Place(node.place.line + line, metric.owner.document.place(path, at_key=True).column + 2)


def _problem(text: str, path: Path, *, at_key: bool) -> Problem:
    message, hint = split_hint(text)
    return Problem(Rule.BLOCK_INVALID, message, hint or _HINT, path, at_key)


def _single(model: type[BaseModel], detail: ErrorDetails) -> ValidationError:
    """Return an error with one detail, so that each has its own place."""
    context = detail.get("ctx", {})
    kind: str | PydanticCustomError = detail["type"]
    line = InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=context)
    return ValidationError.from_exception_data(model.__name__, [line])


def _find_model(name: str) -> type[BaseModel] | None:
    pending: list[type[BaseModel]] = [StrictModel]
    while pending:
        model = pending.pop()
        if model.__name__ == name:
            return model
        pending += model.__subclasses__()
    return None
