"""Old queries, healed: OAP answers 0 for a minute without data, unless it is asked whether the minute is empty.

Every V2 read of a query gets a companion that says, bucket by bucket, what is there. Where OAP can tell (9.5 and
newer) it asks `isEmptyValue`; where it cannot, the calls of the same entity are the witness: a minute without calls has
no values. What the author selected stays as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from cachetools import LRUCache, cached
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    NameNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    parse,
    print_ast,
)

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.spec.query import parse_query

OURS = "swp_"
PRESENT = f"{OURS}present_"
CALLS = f"{OURS}calls_"

_CACHED_CHARACTERS = 1024 * 1024
_SERIES, _LABELED = "readMetricsValues", "readLabeledMetricsValues"
_SINGLE, _NULLABLE, _EXPRESSION = "readMetricsValue", "readNullableMetricsValue", "execExpression"
_BUCKETS = "{ label values { values { value isEmptyValue } } }"
_OLD_BUCKETS = "{ label values { values { value } } }"
_FROM_CALLS = frozenset(
    f"{scope}_{what}"
    for scope in ("service", "service_instance", "endpoint")
    for what in ("sla", "apdex", "resp_time", "avg", "percentile", "cpm")
)
"""The metrics of OAP's core.oal that come from calls; others live without."""


@dataclass(frozen=True, slots=True)
class Own:
    """A read of the author.

    Attributes:
        node: As he wrote it.
        metric: Its metric, where that is written out; None for an expression.
        companions: The aliases of the reads beside it.
        witnessed: Whether they tell what is there of it.
    """

    node: FieldNode
    metric: str | None = None
    companions: frozenset[str] = frozenset()
    witnessed: bool = True

    @property
    def single(self) -> bool:
        """Whether it gives one value of the whole window."""
        return self.node.name.value in (_SINGLE, _NULLABLE)

    @property
    def labeled(self) -> bool:
        """Whether it gives a list of series by label."""
        return self.node.name.value == _LABELED

    @property
    def counts(self) -> bool:
        """Whether it counts calls: where there were none, there were zero."""
        return self.metric is not None and self.metric.endswith("_cpm")


@dataclass(frozen=True, slots=True)
class Healed:
    """A query that also asks what is absent.

    Attributes:
        text: GraphQL, as it is sent.
        reads: The V2 reads by response name.
        expressions: The MQE reads by response name.
        errors: Those of them whose `error` the author did not select.
        fragments: The document's fragments by name.
    """

    text: str
    reads: Mapping[str, Own] = field(default_factory=dict)
    expressions: Mapping[str, Own] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()
    fragments: Mapping[str, FragmentDefinitionNode] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """What is gathered on the way through the top-level fields."""

    reads: dict[str, Own] = field(default_factory=dict)
    expressions: dict[str, Own] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    selections: list[SelectionNode] = field(default_factory=list)


@cached(LRUCache(maxsize=_CACHED_CHARACTERS, getsizeof=lambda healed: len(healed.text)))
def heal(query: str, *, nullable: bool) -> Healed:
    """Complete a query.

    Args:
        query: A text that `parse_query` accepts.
        nullable: Whether the OAP has `isEmptyValue` and `readNullableMetricsValue`.

    Raises:
        ProviderError: QUERY_INVALID, where absent minutes could not be told in what is written.
    """
    document = parse_query(query)
    found = _Found()
    for selection in _top_level(document):
        _heal(selection, found, nullable=nullable)
    definitions = tuple(
        replace(one, selection_set=SelectionSetNode(selections=tuple(found.selections)))
        if isinstance(one, OperationDefinitionNode)
        else one
        for one in document.definitions
    )
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    text = print_ast(DocumentNode(definitions=definitions))
    return Healed(text, found.reads, found.expressions, frozenset(found.errors), fragments)


def not_healed(query: str) -> Healed:
    """A query as it is written."""
    return Healed(query)


def _top_level(document: DocumentNode) -> Iterator[FieldNode]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for selection in definition.selection_set.selections:
                if not isinstance(selection, FieldNode):
                    raise _refused("a fragment at its root hides what is read; write its fields there")
                yield selection


def _heal(read: FieldNode, found: _Found, *, nullable: bool) -> None:
    name, kind = (read.alias or read.name).value, read.name.value
    if name.startswith(OURS):
        raise _refused(f"the alias {name} begins with {OURS}, which the provider uses itself; write another")
    found.selections.append(read)
    if kind == _EXPRESSION:
        found.expressions[name] = Own(read)
        _check_expression(read, name)
        if not _selected(read, "error"):
            found.errors.add(name)
            found.selections[-1] = _with_error(read)
    elif kind in (_SERIES, _LABELED, _SINGLE, _NULLABLE):
        metric = _metric(read)
        companions = list(_companions(read, name, metric, nullable=nullable))
        found.selections += companions
        aliases = frozenset(one.alias.value for one in companions if one.alias)
        found.reads[name] = Own(read, metric, aliases, nullable or f"{CALLS}{name}" in aliases)


def _companions(read: FieldNode, name: str, metric: str | None, *, nullable: bool) -> Iterator[FieldNode]:
    """The reads that tell what is there: of the same entity, in the same window, under the same directives."""
    single = read.name.value in (_SINGLE, _NULLABLE)
    if nullable:
        kind = _NULLABLE if single else read.name.value
        yield _companion(read, f"{PRESENT}{name}", kind, "{ value isEmptyValue }" if single else _BUCKETS)
        return
    if not single:
        yield _companion(read, f"{PRESENT}{name}", read.name.value, _OLD_BUCKETS)
    if metric in _FROM_CALLS:
        calls = f"{metric.removesuffix(_last_word(metric))}cpm"
        yield _with_metric(_companion(read, f"{CALLS}{name}", _SERIES, _OLD_BUCKETS), calls)


def _last_word(metric: str) -> str:
    return next(word for word in ("resp_time", "percentile", "apdex", "sla", "avg", "cpm") if metric.endswith(word))


def _companion(read: FieldNode, alias: str, kind: str, selection: str) -> FieldNode:
    kept = ("condition", "duration", "labels") if kind == _LABELED else ("condition", "duration")
    return FieldNode(
        alias=NameNode(value=alias),
        name=NameNode(value=kind),
        arguments=tuple(one for one in read.arguments or () if one.name.value in kept),
        directives=read.directives,
        selection_set=_selection(selection),
    )


def _metric(read: FieldNode) -> str | None:
    """The literal name in `condition: {name: "..."}`."""
    for argument in read.arguments or ():
        if argument.name.value == "condition" and isinstance(argument.value, ObjectValueNode):
            for part in argument.value.fields:
                if part.name.value == "name" and isinstance(part.value, StringValueNode):
                    return part.value.value
    return None


def _with_metric(read: FieldNode, metric: str) -> FieldNode:
    def renamed(argument: ArgumentNode) -> ArgumentNode:
        if argument.name.value != "condition" or not isinstance(argument.value, ObjectValueNode):
            return argument
        parts = tuple(
            ObjectFieldNode(name=part.name, value=StringValueNode(value=metric)) if part.name.value == "name" else part
            for part in argument.value.fields
        )
        return ArgumentNode(name=argument.name, value=ObjectValueNode(fields=parts))

    return replace(read, arguments=tuple(renamed(argument) for argument in read.arguments or ()))


def _check_expression(read: FieldNode, name: str) -> None:
    """Absent values of MQE are null where they stand: the way to them must be the documented one."""
    results = _selected(read, "results")
    values = _selected(results, "values") if results else None
    if values is None or _selected(values, "value") is None:
        raise _refused(
            f"{name}: absent values cannot be told in what is selected; write results {{ values {{ value }} }} without"
            " aliases, fragments and directives"
        )


def _selected(node: FieldNode, name: str) -> FieldNode | None:
    """A plain field: no alias, no directive, in no fragment."""
    for one in node.selection_set.selections if node.selection_set else ():
        if isinstance(one, FieldNode) and one.name.value == name and one.alias is None and not one.directives:
            return one
    return None


def _with_error(read: FieldNode) -> FieldNode:
    more = FieldNode(name=NameNode(value="error"), arguments=(), directives=())
    selections = read.selection_set.selections if read.selection_set else ()
    return replace(read, selection_set=SelectionSetNode(selections=(*selections, more)))


def _refused(what: str) -> ProviderError:
    return ProviderError(Reason.QUERY_INVALID, f"query: {what}")


@cache
def _selection(text: str) -> SelectionSetNode:
    operation = parse(text).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)  # noqa: S101 - a text of this module
    return operation.selection_set
