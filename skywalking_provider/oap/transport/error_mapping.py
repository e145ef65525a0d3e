"""Error mapping: HTTP statuses and GraphQL errors of an OAP as provider errors. No I/O."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.api.error_texts import (
    StorageFailure,
    classify_graphql_error,
    classify_storage_error,
    cut_error_text,
    needs_position_labels,
)
from skywalking_provider.oap.api.percentile_labels import mqe_label_hint
from skywalking_provider.oap.api.response_parser import describe_json
from skywalking_provider.support.redaction import redact_json

_MAX_LENGTH = 300


def error_from_status(status: int, backend: str, retry_after: float | None = None) -> ProviderError:
    """Return the error for an HTTP status without a GraphQL response. The body is never repeated.

    Args:
        status: HTTP status, 300 or more.
        backend: Name of the backend.
        retry_after: Seconds of its Retry-After; None without one.
    """
    name = f"{status} {_phrase(status)}"
    match status:
        case 401 | 403 | 407:
            hint = f"Check the credentials of backends.{backend} in the provider's configuration"
        case 404 | 405:
            hint = f"Set backends.{backend}.url to the base URL of OAP's REST port (12800), without /graphql"
        case 408 | 425 | 429:
            kind = FailureKind.RATE_LIMITED
            return BackendUnavailableError(f"backend {backend} responded {name}", kind=kind, retry_after=retry_after)
        case 502 | 503 | 504:
            kind = FailureKind.UNAVAILABLE
            return BackendUnavailableError(f"backend {backend} responded {name}", kind=kind, retry_after=retry_after)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BackendUnavailableError(f"backend {backend} responded {name}", kind=FailureKind.SERVER_ERROR)
        case _ if status < HTTPStatus.BAD_REQUEST:
            hint = f"Write the final address into backends.{backend}.url: redirects are not followed"
        case _:
            hint = "Check for a proxy in front of the OAP"
    return ProviderError(Reason.OAP_REJECTED, f"backend {backend} responded {name}", hint)


def plain_http_error(backend: str) -> ProviderError:
    """Return the error for a port that responded that it speaks TLS only."""
    return ProviderError(
        Reason.OAP_REJECTED,
        f"backend {backend} responded 400 Bad Request: its port speaks TLS, and the url is http://",
        f"Write https:// in backends.{backend}.url",
    )


def error_from_graphql(errors: Sequence[Any], backend: str, redact: Callable[[str], str]) -> ProviderError:
    """Return the error for the `errors` of a GraphQL response, with OAP's own message.

    Args:
        errors: The list as received; only fields of the GraphQL specification are read.
        backend: Name of the backend.
        redact: Redacts the credentials from a text.
    """
    first = redact_json(errors[0], redact) if errors else {}
    message = _read_message(first)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    text = shorten(message) + more
    failure = classify_storage_error(message) if _is_fetch_failure(first) else None
    if failure is StorageFailure.UNAVAILABLE:
        return BackendUnavailableError(f"storage of backend {backend} failed: {text}", kind=FailureKind.STORAGE_DOWN)
    hint = "Check that each metric is read by its type and scope" if failure is StorageFailure.QUERY_REJECTED else ""
    return ProviderError(
        Reason.QUERY_INVALID,
        f"graphql: {text}{_format_location(first)}",
        mqe_label_hint((), by_position=True) if needs_position_labels(message) else hint,
        rejection=classify_graphql_error(message),
    )


def _read_message(error: object) -> str:
    message = error.get("message", error) if isinstance(error, dict) else error
    if isinstance(message, dict | list):
        return describe_json(message)  # its text may take twenty times its memory
    return cut_error_text(message if isinstance(message, str) else str(message))


def parse_retry_after(value: str | None, date: str | None, now: Callable[[], datetime]) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), or None if it is absent or invalid.

    Args:
        value: The header: seconds, or an HTTP date.
        date: The response's Date header. An HTTP date is relative to it, because the server's clock may differ.
        now: Local clock, used where the response has no Date.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)  # infinite beyond 308 digits: no deadline has that much time
    until = _parse_http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_parse_http_date(date or "") or now())).total_seconds())


def _parse_http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # the last one for a number beyond C's integers
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def shorten(text: str) -> str:
    """Return a text as one line of bounded length."""
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
