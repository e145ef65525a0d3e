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
from skywalking_provider.mock_oap.faith import asked_too_often
from skywalking_provider.mock_oap.graphql_errors import (
    Json,
    build_error,
    fetch_error,
    introspection_limit_error,
    syntax_error,
    token_error,
    validation_errors,
)
from skywalking_provider.mock_oap.request_limits import complexity, token_over_limit
from skywalking_provider.mock_oap.resolvers import WITHOUT_STORAGE, Resolver, build_root
from skywalking_provider.mock_oap.schema import load_schema
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import OapVersion

TEXT: Final = "text/plain"
TEXT_UTF8: Final = "text/plain; charset=utf-8"

OK: Final = 200
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What goes back over HTTP; no content type means that none is sent."""

    status: int
    body: bytes
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_status(cls, status: int, reason: str) -> "HttpResponse":
        """The text that OAP's HTTP server gives for a status."""
        return cls(status, f"Status: {status}\nDescription: {reason}\n".encode(), TEXT_UTF8)


@dataclass(frozen=True, slots=True)
class ExecutionInput:
    """A request as it came in JSON."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


class Executor:
    """Executes requests against a store in one version's manner."""

    def __init__(
        self, store: Store, oap_version: OapVersion, *, max_complexity: int | None = None, decimal_comma: bool = False
    ) -> None:
        self.oap_version = oap_version
        self.schema = load_schema(oap_version.version)
        self.max_complexity = max_complexity or oap_version.max_complexity
        self.root: dict[str, Resolver] = build_root(store, oap_version, decimal_comma=decimal_comma)

    def execute(self, request: ExecutionInput) -> HttpResponse:
        """Answer one request; wrong requests get OAP's refusals."""
        if token := token_over_limit(request.query):
            return self._json_response({"errors": [token_error(token, self.oap_version)]})
        try:
            document = parse(request.query)
        except GraphQLSyntaxError as wrong:
            return self._json_response({"errors": [syntax_error(wrong, self.oap_version)]})
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            return self._no_operation(request)
        if errors := validation_errors(self.schema, document, self.oap_version):
            return self._json_response({"errors": errors}, BAD_REQUEST)
        try:
            check_variables(self.schema, operation, request.variables)
        except CoercionError as wrong:
            if self.oap_version.coercion_is_http_500:
                return HttpResponse.from_status(SERVER_ERROR, "Internal Server Error")
            return self._json_response({"errors": [wrong.answer]})
        if refusal := self._rejection(document, operation, request):
            return self._json_response({"errors": [refusal]})
        return self._run(document, request)

    def _rejection(
        self, document: DocumentNode, operation: OperationDefinitionNode, request: ExecutionInput
    ) -> Json | None:
        """Why a request that could be executed is not."""
        size = complexity(document, operation)
        if size > self.max_complexity:
            return build_error(f"maximum query complexity exceeded {size} > {self.max_complexity}", "ExecutionAborted")
        if not self.oap_version.limits_introspection:
            return None
        often = asked_too_often(self.schema, document, operation, request.variables)
        return introspection_limit_error(often) if often else None

    def _run(self, document: DocumentNode, request: ExecutionInput) -> HttpResponse:
        result = execute_sync(
            self.schema,
            document,
            root_value=self.root,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
        )
        answer: Json = {}
        if result.errors:
            answer["errors"] = [fetch_error(failed, self.oap_version) for failed in result.errors]
        answer["data"] = result.data
        return self._json_response(answer)

    def _no_operation(self, request: ExecutionInput) -> HttpResponse:
        if not self.oap_version.ambiguous_operation_is_json:
            return HttpResponse.from_status(SERVER_ERROR, "Internal Server Error")
        message = "Must provide operation name if query contains multiple operations."
        if request.operation_name is not None:
            message = f"Unknown operation named '{request.operation_name}'."
        return self._json_response(build_error(message, "ValidationError"), SERVER_ERROR)

    def _json_response(self, content: Json, status: int = OK) -> HttpResponse:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return HttpResponse(status, text.encode(), self.oap_version.content_type)

    def storage_error(self, request: ExecutionInput) -> HttpResponse:
        """What the first request after the end of the storage gets."""
        try:
            fields = list_root_fields(request)
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
            errors.append(build_error(message, "DataFetchingException", (at.line, at.column) if at else None, [name]))
        return self._json_response({"errors": errors, "data": None})


def list_root_fields(request: ExecutionInput) -> list[FieldNode]:
    """The fields a request selects at the root (those inside fragments excepted)."""
    document = parse(request.query)
    operation = get_operation_ast(document, request.operation_name)
    if not isinstance(operation, OperationDefinitionNode):
        return []
    return [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]


def needs_storage(request: ExecutionInput) -> bool:
    """Whether a request cannot be answered while the storage is down."""
    try:
        return any(node.name.value not in WITHOUT_STORAGE for node in list_root_fields(request))
    except GraphQLSyntaxError:
        return False
