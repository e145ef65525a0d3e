"""Rules about the metrics and variables that a block reads, by what every OAP has. No I/O.

Only the metrics of OAP's own core.oal are known here. An administrator may add others, which are not checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from graphql import NonNullTypeNode, OperationDefinitionNode

from skywalking_provider.block import ExpressionSpec, GraphqlSpec, IndicatorSpec, JudgedSpec
from skywalking_provider.block.entity import EntityKeys
from skywalking_provider.block.expression_syntax import extract_labels, ranked_metrics
from skywalking_provider.block.graphql_durations import DURATION
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Entity, EntitySet, Scope
from skywalking_provider.oap.api.inventory import MetricType
from skywalking_provider.oap.api.percentile_labels import (
    POSITION_KEY,
    RANK_BY_POSITION,
    RANK_KEY,
    mqe_label_hint,
    v2_label_hint,
)
from skywalking_provider.queries.diagnosis import CATALOGS, check_ranking, check_scope
from skywalking_provider.queries.graphql.metric_read import MetricRead
from skywalking_provider.queries.graphql.metric_types import check_metric_types
from skywalking_provider.queries.graphql.rewrite import add_presence_reads
from skywalking_provider.queries.indicators.metric_names import (
    MetricMeaning,
    available_metric,
    core_metrics,
    resolve_scope_metrics,
)
from skywalking_provider.queries.indicators.registry import indicator_for
from skywalking_provider.tools.lint.blocks import Block
from skywalking_provider.tools.lint.findings import Problem
from skywalking_provider.tools.lint.objects import TemplateMetric
from skywalking_provider.tools.lint.registry import Rule

_ALL_RANKS: Final = frozenset(f"{{{RANK_KEY}={rank}}}" for rank in RANK_BY_POSITION.values())
_POSITIONS: Final = frozenset(RANK_BY_POSITION)
_KNOWN_LABELS: Final = frozenset(
    {(POSITION_KEY, one) for one in _POSITIONS} | {(RANK_KEY, one) for one in RANK_BY_POSITION.values()}
)


def find_metric_problems(metric: TemplateMetric, block: Block) -> Iterator[Problem]:
    """Yield the problems of the metrics that a block reads."""
    match block.spec:
        case GraphqlSpec() as spec if block.knows("query"):
            yield from _find_in_query(metric, spec)
        case ExpressionSpec() as spec if block.knows("expression"):
            yield from _find_in_expression(metric, spec)
        case (IndicatorSpec() | JudgedSpec()) as spec if block.knows("sli", "percentile"):
            yield from _find_unavailable(metric, spec)


def _find_in_query(metric: TemplateMetric, spec: GraphqlSpec) -> Iterator[Problem]:
    path = (*metric.block_path, "query")
    missing = list(_required_variables(spec.query))
    if missing:
        message = f"query: nothing sets the variable {', '.join(missing)}"
        yield Problem(Rule.QUERY_VARIABLE, message, "Write its value into the query, or use an argument", path)
        return
    try:
        query = add_presence_reads(spec.query, nullable=True)
    except ProviderError as error:
        if not spec.argo_compatible:
            yield Problem(Rule.BLOCK_INVALID, error.message, _capitalise(error.hint), path)
        return
    yield from _find_wrong_types(query.reads, path)
    for name, read in query.reads.items():
        if read.labeled and _is_percentile(read.metric or "") and _has_unknown_label(read.labels):
            labels = ", ".join(read.labels[:5])
            message = f"{name}: no OAP has the labels {labels} of {read.metric}"
            yield Problem(Rule.METRIC_LABEL, message, v2_label_hint(read.labels, by_position=False), path)
    for name, read in query.expressions.items():
        yield from _find_unknown_labels(name, read.selected_labels, path)


def _find_wrong_types(reads: Mapping[str, MetricRead], path: tuple[str | int, ...]) -> Iterator[Problem]:
    try:
        check_metric_types(reads, _metric_types())
    except ProviderError as error:
        yield Problem(Rule.METRIC_TYPE, error.message, _capitalise(error.hint), path)


def _find_in_expression(metric: TemplateMetric, spec: ExpressionSpec) -> Iterator[Problem]:
    path = (*metric.block_path, "expression")
    yield from _find_unknown_labels("expression", extract_labels(spec.expression), path)
    catalogs = {name: CATALOGS[scope] for name, (scope, _) in core_metrics().items()}
    try:
        check_scope(spec.expression, spec.scope, catalogs)
        check_ranking("expression", ranked_metrics(spec.expression), catalogs)
    except ProviderError as error:
        yield Problem(Rule.METRIC_SCOPE, error.message, _capitalise(error.hint), path)


def _find_unknown_labels(
    name: str, selected: Sequence[tuple[str, str, str]], path: tuple[str | int, ...]
) -> Iterator[Problem]:
    unknown = [one for one in selected if _is_percentile(one[0]) and one[1:] not in _KNOWN_LABELS]
    if unknown:
        labels = ", ".join(f"{key}='{value[:40]}'" for _, key, value in unknown[:5])
        message = f"{name}: no OAP has the label {labels} of {unknown[0][0]}"
        hint = mqe_label_hint([value for _, _, value in unknown], by_position=False)
        yield Problem(Rule.METRIC_LABEL, message, hint, path)


def _find_unavailable(metric: TemplateMetric, spec: IndicatorSpec | JudgedSpec) -> Iterator[Problem]:
    indicator = indicator_for(spec.sli, spec.percentile)
    entities = EntitySet((_example_entity(spec),))
    candidates = indicator.metrics(resolve_scope_metrics(entities))
    if candidates or not indicator.needs_values:
        return
    try:
        available_metric(indicator.meaning, candidates, (), entities)
    except ProviderError as error:
        yield Problem(Rule.METRIC_SCOPE, error.message, _capitalise(error.hint), (*metric.block_path, "sli"))


def _example_entity(spec: EntityKeys) -> Entity:
    instance = "instance" if spec.scope is Scope.INSTANCE else None
    return Entity("service", instance=instance, endpoint="endpoint" if spec.scope is Scope.ENDPOINT else None)


def _required_variables(query: str) -> Iterator[str]:
    for definition in parse_query(query).definitions:
        variables = definition.variable_definitions if isinstance(definition, OperationDefinitionNode) else ()
        for one in variables or ():
            name = one.variable.name.value
            if name != DURATION and isinstance(one.type, NonNullTypeNode) and one.default_value is None:
                yield f"${name}"


@cache
def _metric_types() -> Mapping[str, MetricType]:
    labeled = {True: MetricType.LABELED, False: MetricType.REGULAR}
    return {name: labeled[meaning is MetricMeaning.PERCENTILE] for name, (_, meaning) in core_metrics().items()}


def _is_percentile(metric: str) -> bool:
    return _metric_types().get(metric) is MetricType.LABELED


def _has_unknown_label(labels: Sequence[str]) -> bool:
    """Return whether no version of OAP returns series for these labels of a percentile; none stands for all."""
    return bool(labels) and not (set(labels) <= _POSITIONS or set(labels) == _ALL_RANKS)


def _capitalise(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:]}".removesuffix(".")
