"""Foreign errors in our words: which answers mean that an OAP is away, refuses, or does not like the query. Pure."""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.support.redaction import redact_json

_MAX_LENGTH = 300

# An OAP whose storage is down says so in the Java exception of the first fetch that failed; later ones are 503.
# Texts: recorded (PostgreSQL under 10.1.0), and the exceptions of the clients that OAP's other storages use.
_STORAGE_DOWN = re.compile(
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


def error_from_status(status: int, backend: str) -> ProviderError:
    """What an HTTP status without a GraphQL answer means. The body is never repeated.

    Args:
        status: 300 or more.
        backend: Name of the backend.
    """
    name = f"{status} {_phrase(status)}"
    match status:
        case 401 | 403 | 407:
            remedy = f"check the credentials of backends.{backend} in the provider's configuration"
        case 404 | 405:
            remedy = f"backends.{backend}.url must be the base URL of OAP's REST port (12800), without /graphql"
        case 408 | 425 | 429:
            return BackendUnavailableError(f"backend {backend} answered {name}")
        case 502 | 503 | 504:
            return BackendUnavailableError(f"backend {backend} answered {name}", kind=FailureKind.UNAVAILABLE)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BackendUnavailableError(f"backend {backend} answered {name}")
        case _ if status < HTTPStatus.BAD_REQUEST:
            remedy = f"redirects are not followed; write the final address into backends.{backend}.url"
        case _:
            remedy = "OAP did not accept the request"
    return ProviderError(Reason.OAP_REJECTED, f"backend {backend} answered {name}", remedy)


def error_from_graphql(errors: Sequence[Any], backend: str, redact: Callable[[str], str]) -> ProviderError:
    """What the `errors` of a GraphQL answer mean, in OAP's own words.

    Args:
        errors: As received; only what looks like an error of the GraphQL specification is read.
        backend: Name of the backend.
        redact: Takes our credentials out of its words.
    """
    first = redact_json(errors[0], redact) if errors else {}
    message = str(first.get("message", first) if isinstance(first, dict) else first)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    words = shorten(message) + more
    if _is_fetch_failure(first) and _STORAGE_DOWN.search(message):
        return BackendUnavailableError(f"the storage of backend {backend} is down: {words}")
    return ProviderError(Reason.QUERY_INVALID, f"graphql: {words}{_format_location(first)}")


def shorten(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_LENGTH else line[: _MAX_LENGTH - 1] + "…"


def _is_fetch_failure(error: object) -> bool:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return isinstance(extensions, dict) and extensions.get("classification") == "DataFetchingException"


def _format_location(error: object) -> str:
    locations = error.get("locations") if isinstance(error, dict) else None
    match locations:
        case [{"line": int(line), "column": int(column)}, *_]:
            return f" (query line {line}, column {column})"
    return ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"
