"""Classification of OAP's own error texts: the only place where the text of a message decides anything.

OAP reports these errors without codes, so its texts are matched here and become enums and fields. The patterns are
RE2's, which takes linear time, and match the first characters of a text only: its length is up to the OAP.
"""

from enum import StrEnum, auto
from typing import Any, Final

import re2

from skywalking_provider.errors import Rejection, RejectionKind

MAX_ERROR_CHARACTERS: Final = 4096
"""Length of an error text that is read. Those of OAP with a Java exception have 500 characters, messages show 300."""

_COMPLEXITY: Final = re2.compile(rb"complexity exceeded \d+ > (\d{1,9})(?:\D|$)")  # Java's int; OAP has no longer one
_TOKENS: Final = "tokens have been presented"
_FETCH_PATH: Final = re2.compile(rb"^Exception while fetching data \(/[^)]*\) : ")  # the path has the author's alias
_METRIC_NOT_FOUND: Final = "not exist"  # 9.6 writes "dose not exist"
_POSITION_LABEL: Final = "expecting {'_'"  # the only name of a label in the grammar of MQE before OAP 10
_EXPRESSION_STORAGE_DOWN: Final = "Internal IO exception"


class StorageFailure(StrEnum):
    """Cause of an error of OAP's storage, as far as it decides whether waiting helps."""

    UNAVAILABLE = auto()
    """Connections, pools, timeouts and overload: the same read may succeed later."""
    QUERY_REJECTED = auto()
    """Data conversion, syntax, unknown columns and tables: the same read never succeeds."""


# Each storage reports the Java exception of the first fetch that failed. The first pattern that matches decides.
_STORAGE_FAILURES: Final = tuple(
    (failure, re2.compile(pattern))
    for failure, pattern in (
        # Elasticsearch and OpenSearch: SkyWalking's SearchClient repeats the response body. Its status decides, because
        # a failed search of all shards has the type of its first cause.
        (StorageFailure.UNAVAILABLE, rb'"status"\s?:\s?(5\d\d|408|429)'),
        (StorageFailure.QUERY_REJECTED, rb'"status"\s?:\s?4\d\d'),
        # The same without a status: of RestHighLevelClient (type=...), or cut.
        (
            StorageFailure.UNAVAILABLE,
            (
                rb"(circuit_breaking|cluster_block|es_rejected_execution|no_shard_available_action"
                rb"|node_not_connected|receive_timeout_transport)_exception"
            ),
        ),
        (
            StorageFailure.QUERY_REJECTED,
            rb"(parsing|illegal_argument|query_shard|index_not_found|number_format|too_many_clauses)_exception",
        ),
        # BanyanDB: the status of gRPC's StatusRuntimeException, which BanyanDBException repeats.
        (
            StorageFailure.QUERY_REJECTED,
            rb"\b(INVALID_ARGUMENT|NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION|OUT_OF_RANGE|UNIMPLEMENTED)\b",
        ),
        (
            StorageFailure.UNAVAILABLE,
            rb"\b(UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|ABORTED|CANCELLED|UNAUTHENTICATED)\b",
        ),
        # BanyanDBMetricsDAO: an unknown field; all storages: a labeled value that is read as a number.
        (StorageFailure.QUERY_REJECTED, rb"field is not registered|cannot be cast to|NumberFormatException"),
        # JDBC, connections first: their class may be that of a non-transient error. Names of java.sql and its drivers
        # (H2 writes JdbcSQLDataException), SQLSTATE 08 of H2 in brackets.
        (
            StorageFailure.UNAVAILABLE,
            (
                rb"SQL(Transient|NonTransientConnection|Timeout|Recoverable|InvalidAuthorizationSpec)\w*Exception"
                rb"|\[08\w\d\d-\d+\]"
            ),
        ),
        (
            StorageFailure.QUERY_REJECTED,
            (
                rb"SQL(Data|SyntaxError|FeatureNotSupported|IntegrityConstraintViolation)Exception"
                rb"|\[(07|21|22|23|42)\w\d\d-\d+\]|Data conversion error converting"
            ),
        ),
        # PostgreSQL: the server's text after its severity, and those of pgjdbc.
        (
            StorageFailure.QUERY_REJECTED,
            (
                rb"ERROR: (column|relation|function|operator|type|schema|syntax error|invalid input syntax|invalid byte"
                rb"|cannot cast|value \"|integer out of range|bigint out of range|division by zero)"
                rb"|Bad value for type|was not found in this ResultSet|Conversion to type .{1,60} failed"
            ),
        ),
        (
            StorageFailure.UNAVAILABLE,
            rb"FATAL: |terminating connection|canceling statement due to|connection attempt failed|I/O error occurred",
        ),
        # MySQL and TiDB.
        (
            StorageFailure.QUERY_REJECTED,
            (
                rb"Cannot determine value type from string|outside of valid range for type|Unsupported conversion from"
                rb"|Unknown column '|Table '.{1,200}' doesn't exist|error in your SQL syntax"
            ),
        ),
        (
            StorageFailure.UNAVAILABLE,
            (
                rb"Communications link failure|Too many connections|No operations allowed after connection closed"
                rb"|Server shutdown in progress|Lock wait timeout|Query execution was interrupted|Deadlock found"
                rb"|Region is unavailable|(TiKV|PD) server timeout|Information schema is (changed|out of date)"
            ),
        ),
        # H2, HikariCP.
        (
            StorageFailure.UNAVAILABLE,
            rb"HikariPool|HikariDataSource|Connection is broken|[Dd]atabase (is already|has been) closed",
        ),
        # The network, and Armeria, the HTTP client of Elasticsearch.
        (
            StorageFailure.UNAVAILABLE,
            (
                rb"[Cc]onnection (to .{1,200} |is |has been )?(refused|reset|closed|not available)"
                rb"|[Tt]imed ?out|[Ll]istener timeout|Timeout trying to lock"
                rb"|Broken pipe|No route to host|No (available|endpoints)"
                rb"|(Socket|Connect|Timeout|UnknownHost|NoHttpResponse|ClosedChannel|UnprocessedRequest|ClosedSession"
                rb"|ClosedStream|EmptyEndpointGroup|GoAwayReceived)\w*Exception"
            ),
        ),
        # An exception of a storage of which the text says no more. Waiting is the safe side: an outage is no failure.
        (
            StorageFailure.UNAVAILABLE,
            (
                rb"SQL\w*Exception|org\.h2\.|java\.io\.IOException|StatusRuntimeException"
                rb"|([Ee]lastic[Ss]earch|OpenSearch|BanyanDB)\w*[Ee]xception|fail to query (measure|stream|trace)"
                rb"|search_phase_execution_exception"
            ),
        ),
    )
)


def cut_error_text(text: str) -> str:
    """Return the first characters of an error text. Redaction comes first: it does not find a part of a credential."""
    return text[:MAX_ERROR_CHARACTERS]


def classify_graphql_error(message: str) -> Rejection | None:
    """Return the cause of a GraphQL error that the provider acts on, or None."""
    if match := _search(_COMPLEXITY, message):
        return Rejection(RejectionKind.COMPLEXITY, int(match[1]))
    return Rejection(RejectionKind.TOKENS) if _TOKENS in cut_error_text(message) else None


def classify_expression_error(message: str) -> Rejection | None:
    """Return the cause of an expression's error that the provider acts on, or None."""
    return Rejection(RejectionKind.METRIC_NOT_FOUND) if _METRIC_NOT_FOUND in cut_error_text(message) else None


def needs_position_labels(message: str) -> bool:
    """Return whether an OAP before 10 rejected an expression because of the name of a label."""
    return _POSITION_LABEL in cut_error_text(message)


def is_expression_storage_error(message: str) -> bool:
    """Return whether an expression failed because OAP's storage did. Such a response has HTTP status 200."""
    return _EXPRESSION_STORAGE_DOWN in cut_error_text(message)


def classify_storage_error(message: str) -> StorageFailure | None:
    """Return the cause of a failed fetch (DataFetchingException) if it is one of OAP's storage, or None."""
    text = _FETCH_PATH.sub(b"", _encode(message), count=1)
    return next((failure for failure, pattern in _STORAGE_FAILURES if pattern.search(text)), None)


def _search(pattern: Any, message: str) -> Any:
    return pattern.search(_encode(message))


def _encode(message: str) -> bytes:
    return cut_error_text(message).encode("utf-8", "replace")  # lone surrogates have no encoding
