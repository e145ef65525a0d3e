"""Rule about the version of the OAP: what a block uses and the version lacks. No I/O."""

import re
from collections.abc import Iterator
from typing import Final

from skywalking_provider.block import ExpressionSpec, GraphqlSpec
from skywalking_provider.block.expression_syntax import boolean_operators, called_functions, extract_labels
from skywalking_provider.oap.api.percentile_labels import POSITION_KEY, RANK_KEY, mqe_label_hint, v2_label_hint
from skywalking_provider.queries.functions import BOOLEAN_OPERATORS_SINCE, first_version
from skywalking_provider.queries.graphql.metric_read import MetricRead
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.query_results import read_query
from skywalking_provider.tools.lint.registry import Rule

Version = tuple[int, ...]

_EXPRESSIONS: Final[Version] = (9, 5)
_RANKS: Final[Version] = (10,)
"""First version that labels percentiles by rank."""
_VERSION: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}")
_POSITIONS: Final = frozenset("01234")


def parse_version(text: str) -> Version:
    """Parse a version such as 9.6 or 10.1.0.

    Raises:
        ValueError: The text is not a version.
    """
    if not _VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is not a version of OAP. Write one such as 10.1 or 9.6.0.")
    return tuple(int(part) for part in text.split("."))


def find_version_problems(metric: TemplateMetric, block: Block, version: Version | None) -> Iterator[Problem]:
    """Yield what the version lacks; none without a version."""
    match block.spec:
        case _ if version is None:
            return
        case ExpressionSpec() as spec if block.knows("expression"):
            path = (*metric.block_path, "expression")
            yield from _find_in_expression("expression", spec.expression, version, path)
        case GraphqlSpec() as spec if block.knows("query"):
            path = (*metric.block_path, "query")
            query = read_query(spec.query)
            for name, read in query.expressions.items() if query else ():
                yield from _find_in_expression(name, read.expression, version, path)
            for name, read in query.reads.items() if query else ():
                yield from _find_in_labels(name, read, version, path)


def _find_in_expression(name: str, expression: str, version: Version, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if version < _EXPRESSIONS:
        message = f"{name}: OAP {_format(version)} has no expressions, which need {_format(_EXPRESSIONS)}"
        yield Problem(Rule.OAP_VERSION, message, "Write sli or query", path)
        return
    for function in called_functions(expression):
        since = first_version(function)
        if since and version < parse_version(since):
            message = f"{name}: OAP {_format(version)} has no function {function}, which needs {since}"
            yield Problem(Rule.OAP_VERSION, message, "Write the expression without it, or update the OAP", path)
    if version < parse_version(BOOLEAN_OPERATORS_SINCE):
        for sign in boolean_operators(expression):
            message = f"{name}: OAP {_format(version)} has no operator {sign}, which needs {BOOLEAN_OPERATORS_SINCE}"
            yield Problem(Rule.OAP_VERSION, message, "Compare in the condition instead, or update the OAP", path)
    by_position = version < _RANKS
    missing = RANK_KEY if by_position else POSITION_KEY
    values = [value for metric, key, value in extract_labels(expression) if "percentile" in metric and key == missing]
    if values:
        message = f"{name}: percentiles of OAP {_format(version)} have no label {missing}"
        yield Problem(Rule.OAP_VERSION, message, mqe_label_hint(values, by_position=by_position), path)


def _find_in_labels(name: str, read: MetricRead, version: Version, path: tuple[str | int, ...]) -> Iterator[Problem]:
    by_position = version < _RANKS
    if not (read.labeled and read.labels and read.metric and "percentile" in read.metric):
        return
    if by_position != (set(read.labels) <= _POSITIONS):
        message = f"{name}: percentiles of OAP {_format(version)} have no label {', '.join(read.labels[:5])}"
        yield Problem(Rule.OAP_VERSION, message, v2_label_hint(read.labels, by_position=by_position), path)


def _format(version: Version) -> str:
    return ".".join(map(str, version))
