"""Foreign errors in our words: which answers mean that an OAP is away, refuses, or does not like the query. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.api.error_texts import classify_graphql_error, is_fetch_storage_error
from skywalking_provider.support.redaction import redact_json

_MAX_LENGTH = 300
_MAX_RETRY_AFTER_DIGITS = 9  # more seconds than any deadline has


def error_from_status(status: int, backend: str, retry_after: float | None = None) -> ProviderError:
    """What an HTTP status without a GraphQL answer means. The body is never repeated.

    Args:
        status: 300 or more.
        backend: Name of the backend.
        retry_after: Seconds of its Retry-After; None if it has none.
    """
    name = f"{status} {_phrase(status)}"
    match status:
        case 401 | 403 | 407:
            remedy = f"check the credentials of backends.{backend} in the provider's configuration"
        case 404 | 405:
            remedy = f"backends.{backend}.url must be the base URL of OAP's REST port (12800), without /graphql"
        case 408 | 425 | 429:
            kind = FailureKind.RATE_LIMITED
            return BackendUnavailableError(f"backend {backend} answered {name}", kind=kind, retry_after=retry_after)
        case 502 | 503 | 504:
            kind = FailureKind.UNAVAILABLE
            return BackendUnavailableError(f"backend {backend} answered {name}", kind=kind, retry_after=retry_after)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BackendUnavailableError(f"backend {backend} answered {name}", kind=FailureKind.SERVER_ERROR)
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
    if _is_fetch_failure(first) and is_fetch_storage_error(message):
        return BackendUnavailableError(
            f"the storage of backend {backend} is down: {words}", kind=FailureKind.STORAGE_DOWN
        )
    return ProviderError(
        Reason.QUERY_INVALID,
        f"graphql: {words}{_format_location(first)}",
        rejection=classify_graphql_error(message),
    )


def parse_retry_after(value: str | None, date: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None if there is none that is valid (RFC 9110, 10.2.3).

    Args:
        value: The header: seconds, or an HTTP date.
        date: The response's Date header. An HTTP date is relative to it, because the server's clock may differ.
        now: Local clock, used where the response has no Date.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_AFTER_DIGITS:
        return float(value)
    until = _parse_http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_parse_http_date(date or "") or now())).total_seconds())


def _parse_http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


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
