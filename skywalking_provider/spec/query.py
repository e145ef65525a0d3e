"""The GraphQL text of a block, checked as far as it can be without an OAP."""

from functools import lru_cache

from graphql import DocumentNode, GraphQLSyntaxError, OperationDefinitionNode, OperationType, parse


@lru_cache(maxsize=512)
def parse_query(text: str) -> DocumentNode:
    """Parse a query document.

    Args:
        text: GraphQL with exactly one operation, a query. OAP reads at most 15,000 tokens.

    Raises:
        ValueError: What is wrong, with line and column of the text.
    """
    try:
        document = parse(text, max_tokens=15_000)
    except GraphQLSyntaxError as error:
        place = f" at line {error.locations[0].line}, column {error.locations[0].column}" if error.locations else ""
        raise ValueError(f"is not GraphQL{place}: {error.message}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1:
        raise ValueError(f"has {len(operations)} operations; write exactly one query")
    if operations[0].operation is not OperationType.QUERY:
        raise ValueError(f"is a {operations[0].operation.value}; a measurement only reads, write a query")
    return document
