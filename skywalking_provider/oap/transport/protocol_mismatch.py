"""Detection of a port that speaks another protocol than the URL says: HTTP for HTTPS, TLS for HTTP, or gRPC. No I/O."""

import re
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp

_NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"})
"""OpenSSL's reasons for a first byte that is not of a TLS record, by version."""
_TLS_RECORD: Final = re.compile(r"b'\\x1[56]\\x03")
_HTTP2_SETTINGS: Final = re.compile(r"b'\\x00\\x00.{1,4}\\x04\\x00\\x00\\x00\\x00\\x00")
"""Beginnings of an answer, as aiohttp shows a status line that is not HTTP: an alert of TLS, and HTTP/2."""
_HTTP_TO_TLS: Final = re.compile(
    rb"plain HTTP|HTTP request (was sent )?to (an )?HTTPS|combination of host and port requires TLS", re.IGNORECASE
)
"""Texts of HTTP servers: nginx and Apache, Go, Tomcat."""


@dataclass(frozen=True, slots=True)
class ProtocolMismatch:
    """A port that speaks another protocol.

    Attributes:
        problem: Protocol of the port; empty if it is only possible.
        hint: Next step.
    """

    problem: str
    hint: str


def detect_mismatch(url: str, backend: str, cause: BaseException | None) -> ProtocolMismatch | None:
    """Return the mismatch that a connection's failure shows; None if it shows another problem.

    Args:
        url: URL of the backend.
        backend: Name of the backend.
        cause: Exception of aiohttp.
    """
    key = f"backends.{backend}.url"
    if url.startswith("https:"):
        plain = ProtocolMismatch("its port does not speak TLS, but plain HTTP", f"Write http:// in {key}")
        return plain if _ssl_reason(cause) in _NOT_TLS else None
    match cause:
        case aiohttp.ClientResponseError(message=str(text)) if _TLS_RECORD.search(text):
            return ProtocolMismatch("its port speaks TLS, and the url is http://", f"Write https:// in {key}")
        case aiohttp.ClientResponseError(message=str(text)) if _HTTP2_SETTINGS.search(text):
            return ProtocolMismatch(
                "its port speaks HTTP/2, as OAP's gRPC port (11800) does", f"Write the REST port (12800) in {key}"
            )
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError(errno=int()) if not isinstance(
            cause, aiohttp.ClientConnectorError
        ):
            return ProtocolMismatch(
                "",
                f"Write https:// in {key} if the port speaks TLS; otherwise check that the OAP runs and that no"
                " NetworkPolicy blocks it",
            )
    return None


def is_rejection_of_http(head: bytes) -> bool:
    """Return whether the beginning of a body is that of a TLS port that received plain HTTP."""
    return _HTTP_TO_TLS.search(head) is not None


def _ssl_reason(cause: BaseException | None) -> str:
    match cause:
        case ssl.SSLError(reason=str(reason)) | aiohttp.ClientConnectorError(os_error=ssl.SSLError(reason=str(reason))):
            return reason
    return ""
