"""Classification of OAP's own error texts: the only place where the text of a message decides anything.

OAP reports these errors without codes, so its texts are matched here and become enums and fields. The patterns are
RE2's, which takes linear time, and match the first characters of a text only: its length is up to the OAP.
"""

from typing import Any, Final

import re2

from skywalking_provider.errors import Rejection, RejectionKind

MAX_ERROR_CHARACTERS: Final = 4096
"""Length of an error text that is read. Those of OAP with a Java exception have 500 characters, messages show 300."""

_COMPLEXITY: Final = re2.compile(rb"complexity exceeded \d+ > (\d{1,9})(?:\D|$)")  # Java's int; OAP has no longer one
_TOKENS: Final = "tokens have been presented"
_METRIC_NOT_FOUND: Final = "not exist"  # 9.6 writes "dose not exist"
_EXPRESSION_STORAGE_DOWN: Final = "Internal IO exception"

# An OAP whose storage is down reports the Java exception of the first fetch that failed; later requests get a 503.
# Texts: recorded (PostgreSQL under 10.1.0), and the exceptions of the clients that OAP's other storages use.
_FETCH_STORAGE_DOWN: Final = re2.compile(
    b"|".join(
        (
            rb"SQL\w*Exception|SQLTransient|HikariPool|org\.h2\.|PSQL",
            rb"Connection (is )?(refused|reset|closed|not available)|terminating connection",
            rb"(Socket|Connect|Timeout|UnknownHost|NoHttpResponse|ClosedChannel|StatusRuntime)\w*Exception",
            rb"java\.io\.IOException",
            rb"([Ee]lastic[Ss]earch|OpenSearch|BanyanDB)\w*Exception|[Tt]imed ?out",
            rb"No (available|endpoints)",
        )
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


def is_expression_storage_error(message: str) -> bool:
    """Return whether an expression failed because OAP's storage did. Such a response has HTTP status 200."""
    return _EXPRESSION_STORAGE_DOWN in cut_error_text(message)


def is_fetch_storage_error(message: str) -> bool:
    """Return whether a GraphQL field failed (DataFetchingException) because OAP's storage did."""
    return _search(_FETCH_STORAGE_DOWN, message) is not None


def _search(pattern: Any, message: str) -> Any:
    return pattern.search(cut_error_text(message).encode("utf-8", "replace"))  # lone surrogates have no encoding
