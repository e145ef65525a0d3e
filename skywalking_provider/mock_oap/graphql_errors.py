"""GraphQL errors in the form of graphql-java, the library that OAP responds with.

Classification, location and path are those of graphql-java. The texts are graphql-core's, except for those that clients
match: limits of complexity and tokens, and the message of a failed read.
"""

from typing import Any, Final

from graphql import DocumentNode, GraphQLError, GraphQLSchema, Token, validate

from skywalking_provider.mock_oap.unsupported import UnsupportedError

Json = dict[str, Any]

VALIDATION: Final = "ValidationError"
SYNTAX: Final = "InvalidSyntax"
UNSUPPORTED: Final = "MockOapUnsupported"


class DataFetchingError(Exception):
    """A failed read of a field. The message is OAP's."""


def build_error(
    message: str, classification: str, line_column: tuple[int, int] | None = None, path: Any = None
) -> Json:
    """Build one entry of `errors` in a GraphQL response."""
    error: Json = {"message": message}
    if line_column is not None:
        error["locations"] = [{"line": line_column[0], "column": line_column[1]}]
    if path is not None:
        error["path"] = path
    return error | {"extensions": {"classification": classification}}


def token_error(token: Token) -> Json:
    """Build the error of a text with too many tokens, at the first token past the limit."""
    message = (
        "More than 15,000 'grammar' tokens have been presented. "
        "To prevent Denial Of Service attacks, parsing has been cancelled."
    )
    return build_error(message, SYNTAX, (token.line, token.column))


def complexity_error(fields: int, limit: int) -> Json:
    """Build the error of a request that selects more fields than the limit."""
    return build_error(f"maximum query complexity exceeded {fields} > {limit}", "ExecutionAborted")


def introspection_limit_error(field: str) -> Json:
    """Build the error of a request that selects a root field of the introspection more than once."""
    return build_error(f"introspection limit: Query.{field} is selected more than once", "BadFaithIntrospection")


def request_error(error: GraphQLError, classification: str) -> Json:
    """Build the error of an invalid document or variable."""
    # graphql-java gives the place where a variable is used. graphql-core gives its definition first, then the use.
    at = error.locations[-1] if error.locations else None
    return build_error(error.message, classification, (at.line, at.column) if at else None)


def validation_errors(schema: GraphQLSchema, document: DocumentNode) -> list[Json]:
    """Return the validation errors of a well-formed document."""
    return [request_error(error, VALIDATION) for error in validate(schema, document)]


def unsupported_error(error: UnsupportedError, path: Any = None) -> Json:
    """Build the error of a request that the mock does not support. Its classification is not one of OAP's."""
    return build_error(str(error), UNSUPPORTED, path=path)


def fetch_error(error: GraphQLError) -> Json:
    """Build the error of a field that could not be read."""
    if isinstance(error.original_error, UnsupportedError):
        return unsupported_error(error.original_error, error.path)
    path = "/".join(str(part) for part in error.path or ())
    message = f"Exception while fetching data (/{path}) : {error.original_error or error.message}"
    at = error.locations[0] if error.locations else None
    return build_error(message, "DataFetchingException", (at.line, at.column) if at else None, error.path)
