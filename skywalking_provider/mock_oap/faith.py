"""Introspection in good faith: the schema's cycles are walked once, or graphql-java refuses the request.

The rule and the words are those of its GoodFaithIntrospection, tried with the library of OAP 10.1.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
    get_variable_values,
)

_TYPES: Final = {
    "__schema": "Query",
    "__type": "Query",
    "fields": "__Type",
    "inputFields": "__Type",
    "interfaces": "__Type",
    "possibleTypes": "__Type",
}
"""The types of the fields that a request may have once. No other type of the introspection has a field so named."""
_ROOTS: Final = ("__schema", "__type")


def asked_too_often(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> str | None:
    """The field of the introspection that is selected in several places, as `Query.__type`; None if there is none.

    Places are told apart by aliases, so that what is merged in the answer counts once; what `@skip` and `@include`
    leave out does not count. Where there are several such fields, graphql-java names any of them.

    Args:
        schema: Of the OAP.
        document: Valid, that is without cycles of fragments.
        operation: The one that is executed.
        variables: As sent, and of the right types.
    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    values = get_variable_values(schema, operation.variable_definitions or (), dict(variables))
    if isinstance(values, list):
        return None  # the execution tells what is wrong with them

    def included(node: SelectionNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, values)
        include = get_directive_values(GraphQLIncludeDirective, node, values)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def selected(selections: SelectionSetNode | None, place: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for node in filter(included, selections.selections if selections else ()):
            match node:
                case FieldNode() if place or node.name.value in _ROOTS:
                    below = (*place, (node.alias or node.name).value)
                    yield node.name.value, below
                    yield from selected(node.selection_set, below)
                case InlineFragmentNode():
                    yield from selected(node.selection_set, place)
                case FragmentSpreadNode():
                    yield from selected(fragments[node.name.value].selection_set, place)

    places: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for field, place in selected(operation.selection_set, ()):
        places[field].add(place)
    return next((f"{kind}.{field}" for field, kind in _TYPES.items() if len(places[field]) > 1), None)
