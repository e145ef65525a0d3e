"""Classification of OAP's own error texts: the only place where the text of a message decides anything.

OAP reports these errors without codes, so its texts are matched here and become enums and fields.
"""

import re
from typing import Final

from skywalking_provider.errors import Rejection, RejectionKind

_COMPLEXITY: Final = re.compile(r"complexity exceeded \d+ > (\d{1,9})(?!\d)")  # Java's int; a longer one is not OAP's
_TOKENS: Final = re.compile(r"tokens have been presented")
_METRIC_NOT_FOUND: Final = re.compile(r"not exist")  # 9.6 writes "dose not exist"
_EXPRESSION_STORAGE_DOWN: Final = re.compile(r"Internal IO exception")

# An OAP whose storage is down reports the Java exception of the first fetch that failed; later requests get a 503.
# Texts: recorded (PostgreSQL under 10.1.0), and the exceptions of the clients that OAP's other storages use.
_FETCH_STORAGE_DOWN: Final = re.compile(
    r"""
    SQL\w*Exception | SQLTransient | HikariPool | org\.h2\. | PSQL
    | Connection\ (is\ )?(refused|reset|closed|not\ available) | terminating\ connection
    | (Socket|Connect|Timeout|UnknownHost|NoHttpResponse|ClosedChannel|StatusRuntime)\w*Exception
    | java\.io\.IOException
    | ([Ee]lastic[Ss]earch|OpenSearch|BanyanDB)\w*Exception | [Tt]imed\ ?out
    | No\ (available|endpoints)
    """,
    re.VERBOSE,
)


def classify_graphql_error(message: str) -> Rejection | None:
    """Return the cause of a GraphQL error that the provider acts on, or None."""
    if match := _COMPLEXITY.search(message):
        return Rejection(RejectionKind.COMPLEXITY, int(match[1]))
    return Rejection(RejectionKind.TOKENS) if _TOKENS.search(message) else None


def classify_expression_error(message: str) -> Rejection | None:
    """Return the cause of an expression's error that the provider acts on, or None."""
    return Rejection(RejectionKind.METRIC_NOT_FOUND) if _METRIC_NOT_FOUND.search(message) else None


def is_expression_storage_error(message: str) -> bool:
    """Return whether an expression failed because OAP's storage did. Such a response has HTTP status 200."""
    return _EXPRESSION_STORAGE_DOWN.search(message) is not None


def is_fetch_storage_error(message: str) -> bool:
    """Return whether a GraphQL field failed (DataFetchingException) because OAP's storage did."""
    return _FETCH_STORAGE_DOWN.search(message) is not None
