"""Size of a GraphQL request: tokens of its text, and selected fields, which OAP limits."""

from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    Token,
    TokenKind,
)

MAX_TOKENS: Final = 15_000


def token_over_limit(query: str) -> Token | None:
    """Return the first token past the limit; None if there is none or the text is malformed."""
    lexer = Lexer(Source(query))
    try:
        for _ in range(MAX_TOKENS + 1):
            if lexer.advance().kind is TokenKind.EOF:
                return None
    except GraphQLSyntaxError:
        return None
    return lexer.token


def complexity(document: DocumentNode, operation: OperationDefinitionNode) -> int:
    """Count the fields that an operation of a valid document selects, including those of fragments."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}

    def count(selected: SelectionSetNode | None) -> int:
        total = 0
        for node in selected.selections if selected else ():
            match node:
                case FieldNode():
                    total += 1 + count(node.selection_set)
                case InlineFragmentNode():
                    total += count(node.selection_set)
                case FragmentSpreadNode():
                    total += count(fragments[node.name.value].selection_set)
        return total

    return count(operation.selection_set)
