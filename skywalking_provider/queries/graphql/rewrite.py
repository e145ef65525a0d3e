"""Query rewriting: presence reads for the author's queries, because OAP returns 0 for a minute without data.

Every V2 read of a query gets a presence read beside it, which shows for each bucket whether it has data. OAP 9.5 and
newer return `isEmptyValue`. For older ones the calls of the same entity are read: a minute without calls has no values.
The author's text stays verbatim; added reads have aliases that begin with `swp_`.
See docs/adr/0004-detect-absent-buckets-by-companion-reads.md.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache, cached
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from skywalking_provider.block.expression_syntax import extract_labels
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.metric_values import EXPRESSION_SELECTION
from skywalking_provider.queries.graphql.insertion import copy_field, end_offset, insert_at
from skywalking_provider.queries.graphql.metric_read import (
    CALLS_SUFFIX,
    LABELED,
    NULLABLE,
    SERIES,
    SINGLE,
    MetricRead,
    RewrittenQuery,
)
from skywalking_provider.queries.graphql.response_shape import ShapeBuilder
from skywalking_provider.queries.labels import labeled_metrics

ALIAS_PREFIX = "swp_"

_CACHE_MAX_BYTES = 2 * 1024 * 1024
_EXPRESSION = "execExpression"
_VALUE = "{ value isEmptyValue }"
_BUCKETS = "{ label values { values { id value isEmptyValue } } }"
_OLD_BUCKETS = "{ label values { values { id value } } }"
_EXPRESSION_ARGUMENTS = ("expression", "entity", "duration")
_CALL_BASED_METRICS = {
    f"{scope}_{suffix}": f"{scope}_{CALLS_SUFFIX}"
    for scope in ("service", "service_instance", "endpoint")
    for suffix in ("sla", "apdex", "resp_time", "avg", "percentile", CALLS_SUFFIX)
}
"""Metrics of OAP's core.oal that are computed from calls, with the metric that counts these calls."""


@dataclass(slots=True)
class _RewriteState:
    """Reads and insertions collected while the top-level fields are visited."""

    reads: dict[str, MetricRead] = field(default_factory=dict)
    expressions: dict[str, MetricRead] = field(default_factory=dict)
    added_errors: set[str] = field(default_factory=set)
    insertions: list[tuple[int, str]] = field(default_factory=list)
    added_lines: list[str] = field(default_factory=list)


@cached(LRUCache(maxsize=_CACHE_MAX_BYTES, getsizeof=lambda query: query.size))
def add_presence_reads(query: str, *, nullable: bool) -> RewrittenQuery:
    """Add a presence read for every V2 read of a query, and `error` to every expression.

    Args:
        query: Text that `parse_query` accepts.
        nullable: Whether the OAP has `isEmptyValue` and `readNullableMetricsValue`.

    Raises:
        ProviderError: QUERY_INVALID, if absent buckets cannot be detected in the selection.
    """
    document = parse_query(query)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    shapes, state, defaults = ShapeBuilder(fragments), _RewriteState(), _variable_defaults(document)
    try:
        for read in top_level_fields(document):
            _add_presence_read(read, query, shapes, state, defaults, nullable=nullable)
    except RecursionError as error:
        raise _query_error("nested too deeply", "select fewer levels") from error
    insertions = (*state.insertions, (_closing_brace(document), "".join(state.added_lines)))
    text = insert_at(query, insertions)
    return RewrittenQuery(text, state.reads, state.expressions, frozenset(state.added_errors), shapes.fields)


def unmodified_query(query: str) -> RewrittenQuery:
    """Return a query that is sent verbatim."""
    return RewrittenQuery(query)


def top_level_fields(document: DocumentNode) -> Iterator[FieldNode]:
    """Yield the fields at the root of a query.

    Raises:
        ProviderError: QUERY_INVALID, if a fragment stands there.
    """
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for selection in definition.selection_set.selections:
                if not isinstance(selection, FieldNode):
                    raise _query_error("fragment at the root hides the reads", "write its fields at the root")
                yield selection


def response_name(field: FieldNode) -> str:
    """Return the name of a field in the response."""
    return (field.alias or field.name).value


def _closing_brace(document: DocumentNode) -> int:
    """Return the offset of the operation's last brace. Insertions there move no line of the author's reads."""
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return end_offset(operation.selection_set) - 1


def _add_presence_read(
    read: FieldNode,
    query: str,
    shapes: ShapeBuilder,
    state: _RewriteState,
    defaults: Mapping[str, ValueNode],
    *,
    nullable: bool,
) -> None:
    name, kind = response_name(read), read.name.value
    if name.startswith(ALIAS_PREFIX):
        raise _query_error(
            f"alias {name} begins with {ALIAS_PREFIX}, which the provider reserves", "choose another alias"
        )
    if kind == _EXPRESSION:
        _check_expression(read, name)
        expression = _literal_expression(read)
        labels = tuple(extract_labels(expression.value)) if expression else ()
        label_reads = {metric: f"{ALIAS_PREFIX}labels_{at}_{name}" for at, metric in enumerate(labeled_metrics(labels))}
        state.added_lines += (
            f"  {alias}: {copy_field(read, query, kind, _EXPRESSION_ARGUMENTS, (expression, json.dumps(metric)))}"
            f" {EXPRESSION_SELECTION}\n"
            for metric, alias in label_reads.items()
            if expression
        )
        state.expressions[name] = MetricRead(
            kind,
            shapes.build(read),
            label_reads=label_reads,
            selected_labels=labels,
            expression=expression.value if expression else "",
        )
        if not _find_plain_field(read, "error"):
            state.added_errors.add(name)
            state.insertions.append((end_offset(read) - 1, " error "))  # before the closing brace of its selection
    elif kind in (SERIES, LABELED, SINGLE, NULLABLE):
        metric = _literal_metric(read)
        presence = _presence_read(read, query, nullable=nullable)
        calls = None if nullable else _calls_read(read, query, metric)
        presence_alias = f"{ALIAS_PREFIX}present_{name}" if presence else None
        calls_alias = f"{ALIAS_PREFIX}calls_{name}" if calls else None
        state.added_lines += (
            f"  {alias}: {text}\n" for alias, text in ((presence_alias, presence), (calls_alias, calls)) if alias
        )
        state.reads[name] = MetricRead(
            kind,
            shapes.build(read),
            metric.value if metric else None,
            presence_alias,
            calls_alias,
            presence_known=nullable or calls_alias is not None,
            labels=_requested_labels(read, defaults),
        )


def _presence_read(read: FieldNode, query: str, *, nullable: bool) -> str | None:
    """Return a read of the same metric, entity and window under the same directives.

    Before 9.5 it only holds the values; a single value needs none. Of a labeled metric it reads all labels: OAP
    returns zeros or no series for a label that it does not know, which looks like a label without data.
    """
    kind = read.name.value
    single = kind in (SINGLE, NULLABLE)
    labels = _labels_argument(read)
    replacement = (labels, "[]") if labels is not None else None
    arguments = ("condition", "duration", "labels") if kind == LABELED else ("condition", "duration")
    if not nullable:
        return None if single else f"{copy_field(read, query, kind, arguments, replacement)} {_OLD_BUCKETS}"
    field_text = copy_field(read, query, NULLABLE if single else kind, arguments, replacement)
    return f"{field_text} {_VALUE if single else _BUCKETS}"


def _calls_read(read: FieldNode, query: str, metric: StringValueNode | None) -> str | None:
    """Return a read of the entity's calls; None if the metric is not known to be computed from calls."""
    if metric is None or metric.value not in _CALL_BASED_METRICS:
        return None
    calls = json.dumps(_CALL_BASED_METRICS[metric.value])
    field_text = copy_field(read, query, SERIES, ("condition", "duration"), replacement=(metric, calls))
    return f"{field_text} {_OLD_BUCKETS}"


def _literal_expression(read: FieldNode) -> StringValueNode | None:
    values = (one.value for one in read.arguments or () if one.name.value == "expression")
    return next((one for one in values if isinstance(one, StringValueNode)), None)


def _literal_metric(read: FieldNode) -> StringValueNode | None:
    """Return the literal name in `condition: {name: "..."}`."""
    for argument in read.arguments or ():
        if argument.name.value == "condition" and isinstance(argument.value, ObjectValueNode):
            for part in argument.value.fields:
                if part.name.value == "name" and isinstance(part.value, StringValueNode):
                    return part.value
    return None


def _labels_argument(read: FieldNode) -> ValueNode | None:
    return next((one.value for one in read.arguments or () if one.name.value == "labels"), None)


def _variable_defaults(document: DocumentNode) -> dict[str, ValueNode]:
    """Return the defaults of the query's variables. The provider sends none but `$duration`."""
    return {
        variable.variable.name.value: variable.default_value
        for operation in document.definitions
        if isinstance(operation, OperationDefinitionNode)
        for variable in operation.variable_definitions or ()
        if variable.default_value
    }


def _requested_labels(read: FieldNode, defaults: Mapping[str, ValueNode]) -> tuple[str, ...]:
    """Return the requested labels as OAP does: sorted and without duplicates; all if only empty ones are requested."""

    def resolve(node: ValueNode | None) -> ValueNode | None:
        return defaults.get(node.name.value) if isinstance(node, VariableNode) else node

    argument = resolve(_labels_argument(read))
    nodes = argument.values if isinstance(argument, ListValueNode) else (argument,)
    labels = {one.value for one in map(resolve, nodes) if isinstance(one, StringValueNode)}
    return tuple(sorted(labels)) if any(labels) else ()


def _check_expression(read: FieldNode, name: str) -> None:
    """Check that the values are selected by their plain names: absent values of MQE are null at that place."""
    results = _find_plain_field(read, "results")
    values = _find_plain_field(results, "values") if results else None
    if values is None or _find_plain_field(values, "value") is None:
        raise _query_error(
            f"{name}: absent values cannot be detected in this selection",
            "write results { values { value } } without aliases, fragments and directives",
        )


def _find_plain_field(node: FieldNode, name: str) -> FieldNode | None:
    """Return a selected field that has neither alias nor directive and is not in a fragment."""
    for one in node.selection_set.selections if node.selection_set else ():
        if isinstance(one, FieldNode) and one.name.value == name and one.alias is None and not one.directives:
            return one
    return None


def _query_error(message: str, hint: str) -> ProviderError:
    return ProviderError(Reason.QUERY_INVALID, f"query: {message}", hint)
