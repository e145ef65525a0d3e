"""Old queries, healed: OAP answers 0 for a minute without data, unless it is asked whether the minute is empty.

Every V2 read of a query gets a companion that says, bucket by bucket, what is there. Where OAP can tell (9.5 and
newer) it asks `isEmptyValue`; where it cannot, the calls of the same entity are the witness: a minute without calls has
no values. What the author wrote stays as it is, to the letter; ours is written between.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cachetools import LRUCache, cached
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
)

from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.queries.graphql.insertion import copy_field, end_offset, insert_at
from skywalking_provider.queries.graphql.response_shape import Field, ShapeBuilder

ALIAS_PREFIX = "swp_"
PRESENCE_PREFIX = f"{ALIAS_PREFIX}present_"
CALLS_PREFIX = f"{ALIAS_PREFIX}calls_"

_CACHE_MAX_BYTES = 2 * 1024 * 1024
_BYTES_PER_FIELD = 128
_SERIES, _LABELED = "readMetricsValues", "readLabeledMetricsValues"
_SINGLE, _NULLABLE, _EXPRESSION = "readMetricsValue", "readNullableMetricsValue", "execExpression"
_VALUE = "{ value isEmptyValue }"
_BUCKETS = "{ label values { values { value isEmptyValue } } }"
_OLD_BUCKETS = "{ label values { values { value } } }"
_CALL_BASED_METRICS = frozenset(
    f"{scope}_{what}"
    for scope in ("service", "service_instance", "endpoint")
    for what in ("sla", "apdex", "resp_time", "avg", "percentile", "cpm")
)
"""The metrics of OAP's core.oal that come from calls; others live without."""


@dataclass(frozen=True, slots=True)
class MetricRead:
    """A read of the author.

    Attributes:
        kind: The field of OAP's schema that he reads.
        expected_shape: What he selected.
        metric: Its metric, where that is written out; None for an expression.
        companions: The aliases of the reads beside it.
        presence_known: Whether they tell what is there of it.
    """

    kind: str
    expected_shape: Field
    metric: str | None = None
    companions: frozenset[str] = frozenset()
    presence_known: bool = True

    @property
    def single(self) -> bool:
        """Whether it gives one value of the whole window."""
        return self.kind in (_SINGLE, _NULLABLE)

    @property
    def labeled(self) -> bool:
        """Whether it gives a list of series by label."""
        return self.kind == _LABELED

    @property
    def counts(self) -> bool:
        """Whether it counts calls: where there were none, there were zero."""
        return self.metric is not None and self.metric.endswith("_cpm")


@dataclass(frozen=True, slots=True)
class RewrittenQuery:
    """A query that also asks what is absent.

    Attributes:
        text: GraphQL, as it is sent.
        reads: The V2 reads by response name.
        expressions: The MQE reads by response name.
        errors: Those of them whose `error` the author did not select.
        fields: How many fields the reads select.
    """

    text: str
    reads: Mapping[str, MetricRead] = field(default_factory=dict)
    expressions: Mapping[str, MetricRead] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()
    fields: int = 0

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.text) + _BYTES_PER_FIELD * self.fields


@dataclass(slots=True)
class _RewriteState:
    """What is gathered on the way through the top-level fields: the reads, and what is written where."""

    reads: dict[str, MetricRead] = field(default_factory=dict)
    expressions: dict[str, MetricRead] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    insertions: list[tuple[int, str]] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)


@cached(LRUCache(maxsize=_CACHE_MAX_BYTES, getsizeof=lambda healed: healed.size))
def add_presence_reads(query: str, *, nullable: bool) -> RewrittenQuery:
    """Complete a query.

    Args:
        query: A text that `parse_query` accepts.
        nullable: Whether the OAP has `isEmptyValue` and `readNullableMetricsValue`.

    Raises:
        ProviderError: QUERY_INVALID, where absent minutes could not be told in what is written.
    """
    document = parse_query(query)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    mirrors, found = ShapeBuilder(fragments), _RewriteState()
    try:
        for read in top_level_fields(document):
            _add_presence_read(read, query, mirrors, found, nullable=nullable)
    except RecursionError as error:
        raise _query_error("is nested too deeply") from error
    insertions = (*found.insertions, (_last_brace(document), "".join(found.companions)))
    text = insert_at(query, insertions)
    return RewrittenQuery(text, found.reads, found.expressions, frozenset(found.errors), mirrors.fields)


def unmodified_query(query: str) -> RewrittenQuery:
    """A query as it is written."""
    return RewrittenQuery(query)


def top_level_fields(document: DocumentNode) -> Iterator[FieldNode]:
    """The fields at a query's root.

    Raises:
        ProviderError: QUERY_INVALID, where they are in a fragment.
    """
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for selection in definition.selection_set.selections:
                if not isinstance(selection, FieldNode):
                    raise _query_error("a fragment at its root hides what is read; write its fields there")
                yield selection


def _last_brace(document: DocumentNode) -> int:
    """Where the operation's selection ends: what is written there moves no line of the author's reads."""
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return end_offset(operation.selection_set) - 1


def response_name(field: FieldNode) -> str:
    """The name under which a field is answered."""
    return (field.alias or field.name).value


def _add_presence_read(
    read: FieldNode, query: str, shapes: ShapeBuilder, state: _RewriteState, *, nullable: bool
) -> None:
    name, kind = response_name(read), read.name.value
    if name.startswith(ALIAS_PREFIX):
        raise _query_error(
            f"the alias {name} begins with {ALIAS_PREFIX}, which the provider uses itself; write another"
        )
    if kind == _EXPRESSION:
        state.expressions[name] = MetricRead(kind, shapes.build(read))
        _check_expression(read, name)
        if not _find_plain_field(read, "error"):
            state.errors.add(name)
            state.insertions.append((end_offset(read) - 1, " error "))  # before the brace that ends its selection
    elif kind in (_SERIES, _LABELED, _SINGLE, _NULLABLE):
        metric = _literal_metric(read)
        companions = dict(_presence_reads(read, query, name, metric, nullable=nullable))
        state.companions += (f"  {alias}: {text}\n" for alias, text in companions.items())
        witnessed = nullable or f"{CALLS_PREFIX}{name}" in companions
        state.reads[name] = MetricRead(
            kind, shapes.build(read), metric.value if metric else None, frozenset(companions), witnessed
        )


def _presence_reads(
    read: FieldNode, query: str, name: str, metric: StringValueNode | None, *, nullable: bool
) -> Iterator[tuple[str, str]]:
    """The reads that tell what is there: of the same entity, in the same window, under the same directives.

    Yields:
        Aliases and what is read under them.
    """
    kind = read.name.value
    kept = ("condition", "duration", "labels") if kind == _LABELED else ("condition", "duration")
    single = kind in (_SINGLE, _NULLABLE)
    if nullable:
        asked = copy_field(read, query, _NULLABLE if single else kind, kept)
        yield f"{PRESENCE_PREFIX}{name}", f"{asked} {_VALUE if single else _BUCKETS}"
        return
    if not single:
        yield f"{PRESENCE_PREFIX}{name}", f"{copy_field(read, query, kind, kept)} {_OLD_BUCKETS}"
    if metric is not None and metric.value in _CALL_BASED_METRICS:
        calls = json.dumps(f"{metric.value.removesuffix(_metric_suffix(metric.value))}cpm")
        asked = copy_field(read, query, _SERIES, ("condition", "duration"), replacement=(metric, calls))
        yield f"{CALLS_PREFIX}{name}", f"{asked} {_OLD_BUCKETS}"


def _metric_suffix(metric: str) -> str:
    return next(word for word in ("resp_time", "percentile", "apdex", "sla", "avg", "cpm") if metric.endswith(word))


def _literal_metric(read: FieldNode) -> StringValueNode | None:
    """The literal name in `condition: {name: "..."}`."""
    for argument in read.arguments or ():
        if argument.name.value == "condition" and isinstance(argument.value, ObjectValueNode):
            for part in argument.value.fields:
                if part.name.value == "name" and isinstance(part.value, StringValueNode):
                    return part.value
    return None


def _check_expression(read: FieldNode, name: str) -> None:
    """Absent values of MQE are null where they stand: the way to them must be the documented one."""
    results = _find_plain_field(read, "results")
    values = _find_plain_field(results, "values") if results else None
    if values is None or _find_plain_field(values, "value") is None:
        raise _query_error(
            f"{name}: absent values cannot be told in what is selected; write results {{ values {{ value }} }} without"
            " aliases, fragments and directives"
        )


def _find_plain_field(node: FieldNode, name: str) -> FieldNode | None:
    """A plain field: no alias, no directive, in no fragment."""
    for one in node.selection_set.selections if node.selection_set else ():
        if isinstance(one, FieldNode) and one.name.value == name and one.alias is None and not one.directives:
            return one
    return None


def _query_error(message: str) -> ProviderError:
    return ProviderError(Reason.QUERY_INVALID, f"query: {message}")
