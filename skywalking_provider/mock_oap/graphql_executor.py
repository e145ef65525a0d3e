"""Execution of one GraphQL request in OAP's order: limit tokens, parse, validate, coerce, limit fields, execute."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Visitor,
    execute_sync,
    get_operation_ast,
    get_variable_values,
    parse,
    visit,
)

from skywalking_provider.mock_oap.graphql_errors import (
    SYNTAX,
    VALIDATION,
    Json,
    build_error,
    complexity_error,
    fetch_error,
    introspection_limit_error,
    request_error,
    token_error,
    unsupported_error,
    validation_errors,
)
from skywalking_provider.mock_oap.request_limits import complexity, token_over_limit
from skywalking_provider.mock_oap.resolvers import WITHOUT_STORAGE, Resolver, build_root
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.unsupported import UnsupportedError, reject_unsupported_document
from skywalking_provider.mock_oap.versions import OapVersion
from skywalking_provider.schema import load_schema

TEXT: Final = "text/plain"
TEXT_UTF8: Final = "text/plain; charset=utf-8"

OK: Final = 200
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500

_MAX_CACHED: Final = 128
"""Documents. To parse and check one takes most of the time of a request."""
_MAX_CACHED_CHARACTERS: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP response. None as content type omits the header."""

    status: int
    body: bytes
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_status(cls, status: int, reason: str) -> "HttpResponse":
        """Build the plain-text response of OAP's HTTP server for a status."""
        return cls(status, f"Status: {status}\nDescription: {reason}\n".encode(), TEXT_UTF8)


@dataclass(frozen=True, slots=True)
class ExecutionInput:
    """A GraphQL request."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class _CheckedDocument:
    """A valid document with its operation, and the response if it exceeds a limit of fields."""

    document: DocumentNode
    operation: OperationDefinitionNode
    limit_error: HttpResponse | None


class Executor:
    """Executes requests against a store with the behaviour of one OAP version."""

    def __init__(
        self, store: Store, oap_version: OapVersion, *, max_complexity: int | None = None, decimal_comma: bool = False
    ) -> None:
        self.oap_version = oap_version
        self.schema = load_schema(oap_version.sdl)
        self.max_complexity = max_complexity or oap_version.max_complexity
        self._checked: LRUCache[tuple[str, str | None], _CheckedDocument | HttpResponse] = LRUCache(_MAX_CACHED)
        self.root: dict[str, Resolver] = build_root(store, oap_version, decimal_comma=decimal_comma)

    def execute(self, request: ExecutionInput) -> HttpResponse:
        """Return the response to one request, also to an invalid one."""
        checked = self._check(request.query, request.operation_name)
        if isinstance(checked, HttpResponse):
            return checked
        definitions = checked.operation.variable_definitions or ()
        values = get_variable_values(self.schema, definitions, dict(request.variables))
        if isinstance(values, list):
            if self.oap_version.coercion_is_http_500:
                return HttpResponse.from_status(SERVER_ERROR, "Internal Server Error")
            return self._json_response({"errors": [request_error(values[0], VALIDATION)]})
        if checked.limit_error is not None:
            return checked.limit_error
        return self._run(checked.document, request)

    def _check(self, query: str, operation_name: str | None) -> "_CheckedDocument | HttpResponse":
        """Return the valid document of a request, or the response to an invalid one; from the cache if it is there."""
        key = (query, operation_name)
        if (known := self._checked.get(key)) is not None:
            return known
        checked = self._check_document(query, operation_name)
        if len(query) <= _MAX_CACHED_CHARACTERS:
            self._checked[key] = checked
        return checked

    def _check_document(self, query: str, operation_name: str | None) -> "_CheckedDocument | HttpResponse":
        if token := token_over_limit(query):
            return self._json_response({"errors": [token_error(token)]})
        try:
            document = parse(query)
        except GraphQLSyntaxError as error:
            return self._json_response({"errors": [request_error(error, SYNTAX)]})
        operation = get_operation_ast(document, operation_name)
        if operation is None:
            return self._no_operation(operation_name)
        try:
            reject_unsupported_document(self.schema, document, self.oap_version)
        except UnsupportedError as error:
            return self._json_response({"errors": [unsupported_error(error)]}, BAD_REQUEST)
        if errors := validation_errors(self.schema, document):
            return self._json_response({"errors": errors}, BAD_REQUEST)
        exceeded = self._limit_error(document, operation)
        return _CheckedDocument(document, operation, self._json_response({"errors": [exceeded]}) if exceeded else None)

    def _limit_error(self, document: DocumentNode, operation: OperationDefinitionNode) -> Json | None:
        size = complexity(document, operation)
        if size > self.max_complexity:
            return complexity_error(size, self.max_complexity)
        if self.oap_version.limits_introspection and (name := repeated_introspection(document)):
            return introspection_limit_error(name)
        return None

    def _run(self, document: DocumentNode, request: ExecutionInput) -> HttpResponse:
        result = execute_sync(
            self.schema,
            document,
            root_value=self.root,
            variable_values=dict(request.variables),
            operation_name=request.operation_name,
        )
        response: Json = {}
        if result.errors:
            response["errors"] = [fetch_error(error) for error in result.errors]
        response["data"] = result.data
        return self._json_response(response)

    def _no_operation(self, operation_name: str | None) -> HttpResponse:
        if not self.oap_version.ambiguous_operation_is_json:
            return HttpResponse.from_status(SERVER_ERROR, "Internal Server Error")
        message = "Must provide operation name if query contains multiple operations."
        if operation_name is not None:
            message = f"Unknown operation named '{operation_name}'."
        return self._json_response(build_error(message, VALIDATION), SERVER_ERROR)

    def _json_response(self, content: Json, status: int = OK) -> HttpResponse:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return HttpResponse(status, text.encode(), self.oap_version.content_type)

    def storage_error(self, request: ExecutionInput) -> HttpResponse:
        """Return the response to the first read after the storage failed."""
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


def repeated_introspection(document: DocumentNode) -> str | None:
    """Return `__type` or `__schema` if the document selects it more than once.

    graphql-java also counts the fields below them and ignores what directives exclude; clients need neither.
    """
    count: Counter[str] = Counter()

    class _FieldCounter(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            count[node.name.value] += 1

    visit(document, _FieldCounter())
    return next((name for name in ("__type", "__schema") if count[name] > 1), None)


def list_root_fields(request: ExecutionInput) -> list[FieldNode]:
    """Return the fields that a request selects at the root, without those inside fragments."""
    document = parse(request.query)
    operation = get_operation_ast(document, request.operation_name)
    if not isinstance(operation, OperationDefinitionNode):
        return []
    return [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]


def needs_storage(request: ExecutionInput) -> bool:
    """Return whether a request reads the storage."""
    try:
        return any(node.name.value not in WITHOUT_STORAGE for node in list_root_fields(request))
    except GraphQLSyntaxError:
        return False
