"""One GraphQL request from text to answer, in OAP's order: parse, validate, coerce, count, execute."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
)

from skywalking_provider.mock_oap.coerce import CoercionError, check_variables
from skywalking_provider.mock_oap.dialect import Dialect
from skywalking_provider.mock_oap.faith import asked_too_often
from skywalking_provider.mock_oap.limits import complexity, token_over_limit
from skywalking_provider.mock_oap.resolvers import WITHOUT_STORAGE, Resolver, root
from skywalking_provider.mock_oap.schema import schema_of
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.words import (
    Json,
    bad_faith,
    error,
    fetch_error,
    syntax_error,
    token_error,
    validation_errors,
)

TEXT: Final = "text/plain"
TEXT_UTF8: Final = "text/plain; charset=utf-8"

OK: Final = 200
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP; no content type means that none is sent."""

    status: int
    body: bytes
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_status(cls, status: int, reason: str) -> "Answer":
        """The text that OAP's HTTP server gives for a status."""
        return cls(status, f"Status: {status}\nDescription: {reason}\n".encode(), TEXT_UTF8)


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A request as it came in JSON."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


class Executor:
    """Executes requests against a store in one version's manner."""

    def __init__(
        self, store: Store, dialect: Dialect, *, max_complexity: int | None = None, decimal_comma: bool = False
    ) -> None:
        self.dialect = dialect
        self.schema = schema_of(dialect.version)
        self.max_complexity = max_complexity or dialect.max_complexity
        self.root: dict[str, Resolver] = root(store, dialect, decimal_comma=decimal_comma)

    def execute(self, request: GraphQLRequest) -> Answer:
        """Answer one request; wrong requests get OAP's refusals."""
        if token := token_over_limit(request.query):
            return self._graphql({"errors": [token_error(token, self.dialect)]})
        try:
            document = parse(request.query)
        except GraphQLSyntaxError as wrong:
            return self._graphql({"errors": [syntax_error(wrong, self.dialect)]})
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            return self._no_operation(request)
        if errors := validation_errors(self.schema, document, self.dialect):
            return self._graphql({"errors": errors}, BAD_REQUEST)
        try:
            check_variables(self.schema, operation, request.variables)
        except CoercionError as wrong:
            if self.dialect.coercion_is_http_500:
                return Answer.of_status(SERVER_ERROR, "Internal Server Error")
            return self._graphql({"errors": [wrong.answer]})
        if refusal := self._refusal(document, operation, request):
            return self._graphql({"errors": [refusal]})
        return self._run(document, request)

    def _refusal(
        self, document: DocumentNode, operation: OperationDefinitionNode, request: GraphQLRequest
    ) -> Json | None:
        """Why a request that could be executed is not."""
        size = complexity(document, operation)
        if size > self.max_complexity:
            return error(f"maximum query complexity exceeded {size} > {self.max_complexity}", "ExecutionAborted")
        if not self.dialect.introspection_in_good_faith:
            return None
        often = asked_too_often(self.schema, document, operation, request.variables)
        return bad_faith(often) if often else None

    def _run(self, document: DocumentNode, request: GraphQLRequest) -> Answer:
        result = execute_sync(
            self.schema,
            document,
            root_value=self.root,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
        )
        answer: Json = {}
        if result.errors:
            answer["errors"] = [fetch_error(failed, self.dialect) for failed in result.errors]
        answer["data"] = result.data
        return self._graphql(answer)

    def _no_operation(self, request: GraphQLRequest) -> Answer:
        if not self.dialect.ambiguous_operation_is_json:
            return Answer.of_status(SERVER_ERROR, "Internal Server Error")
        message = "Must provide operation name if query contains multiple operations."
        if request.operation_name is not None:
            message = f"Unknown operation named '{request.operation_name}'."
        return self._graphql(error(message, "ValidationError"), SERVER_ERROR)

    def _graphql(self, content: Json, status: int = OK) -> Answer:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return Answer(status, text.encode(), self.dialect.content_type)

    def storage_error(self, request: GraphQLRequest) -> Answer:
        """What the first request after the end of the storage gets."""
        try:
            fields = root_fields(request)
        except GraphQLError:
            fields = []
        errors = []
        for node in fields[:1]:
            name = node.alias.value if node.alias else node.name.value
            at = node.loc.start_token if node.loc else None
            message = (
                f"Exception while fetching data (/{name}) : org.postgresql.util.PSQLException: "
                "FATAL: terminating connection due to administrator command"
            )
            errors.append(error(message, "DataFetchingException", (at.line, at.column) if at else None, [name]))
        return self._graphql({"errors": errors, "data": None})


def root_fields(request: GraphQLRequest) -> list[FieldNode]:
    """The fields a request selects at the root (those inside fragments excepted)."""
    document = parse(request.query)
    operation = get_operation_ast(document, request.operation_name)
    if not isinstance(operation, OperationDefinitionNode):
        return []
    return [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]


def needs_storage(request: GraphQLRequest) -> bool:
    """Whether a request cannot be answered while the storage is down."""
    try:
        return any(node.name.value not in WITHOUT_STORAGE for node in root_fields(request))
    except GraphQLSyntaxError:
        return False
