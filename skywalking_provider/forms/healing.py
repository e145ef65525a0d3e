"""Old queries, healed: OAP answers 0 for a minute without data, unless it is asked whether the minute is empty.

Where OAP can tell (9.5 and newer), `isEmptyValue` is asked beside every value, and a single value gets a nullable
companion. Where it cannot, the calls of the same entity are the witness: a minute without calls has no values.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from cachetools import LRUCache, cached
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NameNode,
    Node,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from skywalking_provider.spec.query import parse_query

_CACHED_CHARACTERS = 256 * 1024

PRESENT = "swp_present_"
CALLS = "swp_calls_"
_SERIES = ("readMetricsValues", "readLabeledMetricsValues")
_SINGLE = "readMetricsValue"
_NULLABLE = "readNullableMetricsValue"
_EXPRESSION = "execExpression"
_PREFIXES = ("service_instance_", "service_", "endpoint_")


@dataclass(frozen=True, slots=True)
class Healed:
    """A query that also asks what is absent.

    Attributes:
        text: GraphQL, as it is sent.
        added: The response names whose `isEmptyValue` the author did not select.
        counts: The response names that are counts, where no calls are zero calls.
        errors: The response names of expressions whose `error` the author did not select.
    """

    text: str
    added: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()


@cached(LRUCache(maxsize=_CACHED_CHARACTERS, getsizeof=lambda healed: len(healed.text)))
def heal(query: str, *, nullable: bool) -> Healed:
    """Complete a query.

    Args:
        query: A text that `parse_query` accepts.
        nullable: Whether the OAP has `isEmptyValue` and `readNullableMetricsValue`.
    """
    document = _flattened(parse_query(query))
    fields = list(_metric_fields(document))
    added, counts, companions = set(), set(), []
    errors = {_response_name(field) for field in _fields(document, (_EXPRESSION,)) if not _selects(field, "error")}
    marks_itself = _selects_empty(document)
    for field in fields:
        name, metric = _response_name(field), _metric(field)
        if metric and metric.endswith("_cpm"):
            counts.add(name)
        if nullable and field.name.value == _SINGLE:
            companions.append(_companion(field, f"{PRESENT}{name}", _NULLABLE, "{ isEmptyValue }"))
        elif nullable and not (_selects_empty(field) or marks_itself):
            added.add(name)
        elif not nullable and (calls := _witness(metric)):
            companions.append(
                _with_metric(
                    _companion(field, f"{CALLS}{name}", "readMetricsValues", "{ values { values { value } } }"), calls
                )
            )

    def completed(node: Any) -> Any:
        if isinstance(node, FieldNode) and _response_name(node) in errors:
            return _with_field(node, "error")
        return visit(node, _AddEmpty()) if _asks(node, added) else node

    healed = _map_document(document, completed, companions)
    return Healed(print_ast(healed), frozenset(added), frozenset(counts), frozenset(errors))


def not_healed(query: str) -> Healed:
    """A query as it is written."""
    return Healed(query)


def _metric_fields(document: DocumentNode) -> Iterator[FieldNode]:
    return _fields(document, (*_SERIES, _SINGLE, _NULLABLE))


def _fields(document: DocumentNode, names: tuple[str, ...]) -> Iterator[FieldNode]:
    """The top-level fields of some names; `_flattened` has made all of them fields."""
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for selection in definition.selection_set.selections:
                if isinstance(selection, FieldNode) and selection.name.value in names:
                    yield selection


def _flattened(document: DocumentNode) -> DocumentNode:
    """A query whose root has fields only: fragments on Query are put in their places."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    used: set[str] = set()

    def inlined(selections: Iterable[Any], inside: frozenset[str]) -> Iterator[Any]:
        for one in selections:
            name = one.name.value if isinstance(one, FragmentSpreadNode) else ""
            if isinstance(one, InlineFragmentNode) and not one.directives:
                yield from inlined(one.selection_set.selections, inside)
            elif name in fragments and name not in inside and not one.directives:
                used.add(name)
                yield from inlined(fragments[name].selection_set.selections, inside | {name})
            else:
                yield one

    def changed(definition: Any) -> Any:
        if not isinstance(definition, OperationDefinitionNode):
            return definition
        selections = tuple(inlined(definition.selection_set.selections, frozenset()))
        return replace(definition, selection_set=SelectionSetNode(selections=selections))

    definitions = [changed(definition) for definition in document.definitions]
    left = (one for one in definitions if not (isinstance(one, FragmentDefinitionNode) and one.name.value in used))
    return DocumentNode(definitions=tuple(left)) if used or _has_inline(document) else document


def _has_inline(document: DocumentNode) -> bool:
    return any(
        isinstance(selection, InlineFragmentNode)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for selection in definition.selection_set.selections
    )


def _selects(field: FieldNode, name: str) -> bool:
    return field.selection_set is not None and any(
        isinstance(one, FieldNode) and one.alias is None and one.name.value == name
        for one in field.selection_set.selections
    )


def _response_name(field: FieldNode) -> str:
    return (field.alias or field.name).value


def _metric(field: FieldNode) -> str | None:
    """The literal name in `condition: {name: "..."}`."""
    for argument in field.arguments or ():
        if argument.name.value == "condition" and isinstance(argument.value, ObjectValueNode):
            for part in argument.value.fields:
                if part.name.value == "name" and isinstance(part.value, StringValueNode):
                    return part.value.value
    return None


def _witness(metric: str | None) -> str | None:
    """The calls of the same entity; None where OAP has none, or the metric counts calls itself."""
    prefix = next((one for one in _PREFIXES if metric and metric.startswith(one)), None)
    return f"{prefix}cpm" if prefix and metric != f"{prefix}cpm" else None


def _companion(field: FieldNode, alias: str, name: str, selection: str) -> FieldNode:
    """The same read under another name, with the arguments that both have."""
    arguments = tuple(one for one in field.arguments or () if one.name.value in ("condition", "duration"))
    return FieldNode(
        alias=NameNode(value=alias),
        name=NameNode(value=name),
        arguments=arguments,
        directives=(),
        selection_set=_selection(selection),
    )


def _with_metric(field: FieldNode, metric: str) -> FieldNode:
    def renamed(argument: ArgumentNode) -> ArgumentNode:
        if argument.name.value != "condition" or not isinstance(argument.value, ObjectValueNode):
            return argument
        parts = tuple(
            ObjectFieldNode(name=part.name, value=StringValueNode(value=metric)) if part.name.value == "name" else part
            for part in argument.value.fields
        )
        return ArgumentNode(name=argument.name, value=ObjectValueNode(fields=parts))

    return replace(field, arguments=tuple(renamed(argument) for argument in field.arguments or ()))


def _asks(node: Node, names: set[str]) -> bool:
    """Whether a top-level field, or a fragment, is to ask for isEmptyValue."""
    if isinstance(node, FieldNode):
        return _response_name(node) in names
    return bool(names)


def _map_document(document: DocumentNode, change: Callable[[Any], Any], more: list[FieldNode]) -> DocumentNode:
    """Change the top-level fields and the fragments, and read more."""

    def changed(definition: Any) -> Any:
        if isinstance(definition, FragmentDefinitionNode):
            return change(definition) if _is_of_metrics(definition) else definition
        if not isinstance(definition, OperationDefinitionNode):
            return definition
        fields = tuple(
            change(one) if isinstance(one, FieldNode) else one for one in definition.selection_set.selections
        )
        return replace(definition, selection_set=SelectionSetNode(selections=(*fields, *more)))

    return DocumentNode(definitions=tuple(changed(definition) for definition in document.definitions))


def _is_of_metrics(fragment: FragmentDefinitionNode) -> bool:
    return fragment.type_condition.name.value in ("MetricsValues", "IntValues", "KVInt")


def _selects_empty(node: Node) -> bool:
    """Whether the author asks for isEmptyValue himself in a field, or in any fragment of a document."""
    parts = (
        [one for one in node.definitions if isinstance(one, FragmentDefinitionNode)]
        if isinstance(node, DocumentNode)
        else [node]
    )
    return any(" isEmptyValue" in f" {' '.join(print_ast(part).split())}" for part in parts)


class _AddEmpty(Visitor):
    """Asks isEmptyValue beside every value of a field, also in fragments on KVInt."""

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        """`values { id value }`, and the nullable single value."""
        if node.name.value in ("values", _NULLABLE) and _has_values(node.selection_set):
            return _with_empty(node)
        return None

    def leave_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> Any:
        """`... on KVInt { value }`."""
        return _on_value(node)

    def leave_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> Any:
        """`fragment f on KVInt { value }`."""
        return _on_value(node)


def _on_value(fragment: InlineFragmentNode | FragmentDefinitionNode) -> Any:
    if fragment.type_condition is not None and fragment.type_condition.name.value == "KVInt":
        return _with_empty(fragment)
    return None


def _has_values(selections: SelectionSetNode | None) -> bool:
    return selections is not None and any(
        isinstance(one, FieldNode) and one.name.value in ("value", "id") for one in selections.selections
    )


def _with_empty(node: Any) -> Any:
    return _with_field(node, "isEmptyValue")


def _with_field(node: Any, name: str) -> Any:
    more = FieldNode(name=NameNode(value=name), arguments=(), directives=())
    return replace(node, selection_set=SelectionSetNode(selections=(*node.selection_set.selections, more)))


def _selection(text: str) -> SelectionSetNode:
    operation = parse(text).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)  # noqa: S101 - a text of this module
    return operation.selection_set
