"""Syntax check of a block's GraphQL query, without an OAP."""

from functools import lru_cache

from graphql import DocumentNode, GraphQLSyntaxError, OperationDefinitionNode, OperationType, parse

MAX_CHARACTERS = 16 * 1024
_MAX_TOKENS = 4000  # OAP's complexity limit is 3,000 fields

# A syntax tree with locations takes many times the memory of its text. It is needed twice in a row: by the check of a
# new block and by the rewriting of its query. Both cache their own results.
_CACHE_SIZE = 4


class QuerySyntaxError(ValueError):
    """A text that is not GraphQL.

    Args:
        message: The problem, with line and column of the text.
        line: Line of the problem, counted from 1; 0 if unknown.
    """

    def __init__(self, message: str, line: int) -> None:
        self.line = line
        super().__init__(message)


@lru_cache(_CACHE_SIZE)
def parse_query(text: str) -> DocumentNode:
    """Parse a query document.

    Args:
        text: GraphQL with exactly one operation, a query.

    Raises:
        ValueError: The text is not one valid query. The message has line and column.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    try:
        document = parse(text, max_tokens=_MAX_TOKENS)
    except GraphQLSyntaxError as error:
        location = error.locations[0] if error.locations else None
        place = f" at line {location.line}, column {location.column}" if location else ""
        message = f"is not GraphQL{place}: {error.message}"
        raise QuerySyntaxError(message, location.line if location else 0) from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        raise ValueError(f"has {len(operations)} operations; write exactly one query")
    if operations[0].operation is not OperationType.QUERY:
        raise ValueError(f"is a {operations[0].operation.value}, but measurements only read; write a query")
    return document
