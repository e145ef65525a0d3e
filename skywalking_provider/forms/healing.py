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

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.mirror import Field, Mirrors
from skywalking_provider.forms.weaving import end, like, woven
from skywalking_provider.spec.query import parse_query

OURS = "swp_"
PRESENT = f"{OURS}present_"
CALLS = f"{OURS}calls_"

_CACHED_BYTES = 2 * 1024 * 1024
_BYTES_OF_A_FIELD = 128
_SERIES, _LABELED = "readMetricsValues", "readLabeledMetricsValues"
_SINGLE, _NULLABLE, _EXPRESSION = "readMetricsValue", "readNullableMetricsValue", "execExpression"
_VALUE = "{ value isEmptyValue }"
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
        kind: The field of OAP's schema that he reads.
        mirror: What he selected.
        metric: Its metric, where that is written out; None for an expression.
        companions: The aliases of the reads beside it.
        witnessed: Whether they tell what is there of it.
    """

    kind: str
    mirror: Field
    metric: str | None = None
    companions: frozenset[str] = frozenset()
    witnessed: bool = True

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
class Healed:
    """A query that also asks what is absent.

    Attributes:
        text: GraphQL, as it is sent.
        reads: The V2 reads by response name.
        expressions: The MQE reads by response name.
        errors: Those of them whose `error` the author did not select.
        fields: How many fields the reads select.
    """

    text: str
    reads: Mapping[str, Own] = field(default_factory=dict)
    expressions: Mapping[str, Own] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()
    fields: int = 0

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.text) + _BYTES_OF_A_FIELD * self.fields


@dataclass(slots=True)
class _Found:
    """What is gathered on the way through the top-level fields: the reads, and what is written where."""

    reads: dict[str, Own] = field(default_factory=dict)
    expressions: dict[str, Own] = field(default_factory=dict)
    errors: set[str] = field(default_factory=set)
    insertions: list[tuple[int, str]] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)


@cached(LRUCache(maxsize=_CACHED_BYTES, getsizeof=lambda healed: healed.size))
def heal(query: str, *, nullable: bool) -> Healed:
    """Complete a query.

    Args:
        query: A text that `parse_query` accepts.
        nullable: Whether the OAP has `isEmptyValue` and `readNullableMetricsValue`.

    Raises:
        ProviderError: QUERY_INVALID, where absent minutes could not be told in what is written.
    """
    document = parse_query(query)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    mirrors, found = Mirrors(fragments), _Found()
    try:
        for read in top_level(document):
            _heal(read, query, mirrors, found, nullable=nullable)
    except RecursionError as error:
        raise _refused("is nested too deeply") from error
    insertions = (*found.insertions, (_last_brace(document), "".join(found.companions)))
    text = woven(query, insertions)
    return Healed(text, found.reads, found.expressions, frozenset(found.errors), mirrors.fields)


def not_healed(query: str) -> Healed:
    """A query as it is written."""
    return Healed(query)


def top_level(document: DocumentNode) -> Iterator[FieldNode]:
    """The fields at a query's root.

    Raises:
        ProviderError: QUERY_INVALID, where they are in a fragment.
    """
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for selection in definition.selection_set.selections:
                if not isinstance(selection, FieldNode):
                    raise _refused("a fragment at its root hides what is read; write its fields there")
                yield selection


def _last_brace(document: DocumentNode) -> int:
    """Where the operation's selection ends: what is written there moves no line of the author's reads."""
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return end(operation.selection_set) - 1


def response_name(field: FieldNode) -> str:
    """The name under which a field is answered."""
    return (field.alias or field.name).value


def _heal(read: FieldNode, query: str, mirrors: Mirrors, found: _Found, *, nullable: bool) -> None:
    name, kind = response_name(read), read.name.value
    if name.startswith(OURS):
        raise _refused(f"the alias {name} begins with {OURS}, which the provider uses itself; write another")
    if kind == _EXPRESSION:
        found.expressions[name] = Own(kind, mirrors.of(read))
        _check_expression(read, name)
        if not _selected(read, "error"):
            found.errors.add(name)
            found.insertions.append((end(read) - 1, " error "))  # before the brace that ends its selection
    elif kind in (_SERIES, _LABELED, _SINGLE, _NULLABLE):
        metric = _metric(read)
        companions = dict(_companions(read, query, name, metric, nullable=nullable))
        found.companions += (f"  {alias}: {text}\n" for alias, text in companions.items())
        witnessed = nullable or f"{CALLS}{name}" in companions
        found.reads[name] = Own(
            kind, mirrors.of(read), metric.value if metric else None, frozenset(companions), witnessed
        )


def _companions(
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
        asked = like(read, query, _NULLABLE if single else kind, kept)
        yield f"{PRESENT}{name}", f"{asked} {_VALUE if single else _BUCKETS}"
        return
    if not single:
        yield f"{PRESENT}{name}", f"{like(read, query, kind, kept)} {_OLD_BUCKETS}"
    if metric is not None and metric.value in _FROM_CALLS:
        calls = json.dumps(f"{metric.value.removesuffix(_last_word(metric.value))}cpm")
        asked = like(read, query, _SERIES, ("condition", "duration"), instead=(metric, calls))
        yield f"{CALLS}{name}", f"{asked} {_OLD_BUCKETS}"


def _last_word(metric: str) -> str:
    return next(word for word in ("resp_time", "percentile", "apdex", "sla", "avg", "cpm") if metric.endswith(word))


def _metric(read: FieldNode) -> StringValueNode | None:
    """The literal name in `condition: {name: "..."}`."""
    for argument in read.arguments or ():
        if argument.name.value == "condition" and isinstance(argument.value, ObjectValueNode):
            for part in argument.value.fields:
                if part.name.value == "name" and isinstance(part.value, StringValueNode):
                    return part.value
    return None


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


def _refused(what: str) -> ProviderError:
    return ProviderError(Reason.QUERY_INVALID, f"query: {what}")
