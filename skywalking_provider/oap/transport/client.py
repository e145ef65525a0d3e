"""HTTP client of one OAP: GraphQL through gql over one aiohttp session. Foreign errors become provider errors here."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from gql import GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import (
    TransportConnectionFailed,
    TransportProtocolError,
    TransportServerError,
)
from graphql import DocumentNode

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.bounded_response import bounded_response_class
from skywalking_provider.oap.transport.connector import Connector
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.oap.transport.error_mapping import (
    error_from_graphql,
    error_from_status,
    shorten,
)
from skywalking_provider.oap.transport.protocol_mismatch import detect_mismatch
from skywalking_provider.oap.transport.response_decoder import ResponseDecoder
from skywalking_provider.oap.transport.tls import TlsContext
from skywalking_provider.support import go_json
from skywalking_provider.support.worker_thread import WorkerThread


class OapClient:
    """Client of one OAP, an asynchronous context manager that keeps its connections.

    Attributes:
        credentials: Credentials of the backend.
        worker: Thread that processes large responses.

    Args:
        name: Name of the backend.
        config: Its configuration.
        now: Local clock, for a Retry-After date of a response without a Date.
    """

    def __init__(
        self, name: str, config: BackendConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now = now
        self._name = name
        self._has_responded = False
        self._config = config
        self.credentials = Credentials(config)
        self.worker = WorkerThread(f"responses of {name}")
        self._tls = TlsContext(name, config.tls)
        # Without gql's Client: a response of `data: null` without errors fails an assertion there.
        self._transport = self._new_transport()

    async def __aenter__(self) -> Self:
        await self._transport.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()
        self.worker.close()

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        """Send one request and return the `data` of the response. That of an optional request may be partial.

        Args:
            request: The request.
            deadline: Deadline of this attempt.

        Raises:
            BackendUnavailableError: No usable response before the deadline; another attempt may succeed.
            ProviderError: OAP rejects the query or the credentials; another attempt cannot succeed.
        """
        seconds = deadline.remaining
        raw_request = _RawRequest(request)
        try:
            async with asyncio.timeout(seconds):
                self._transport.ssl = await self._tls.current()
                result = await self._transport.execute(
                    raw_request,
                    extra_args={
                        "allow_redirects": False,
                        "headers": self.credentials.headers(),
                        "server_hostname": self._tls.server_name,
                    },
                )
        except TimeoutError as error:
            raise BackendUnavailableError(
                f"backend {self._name} did not respond within {seconds:.3g} s", kind=FailureKind.TIMEOUT
            ) from error
        except TransportServerError as error:
            self._has_responded = True
            raise error_from_status(error.code or 500, self._name) from error
        except TransportProtocolError as error:
            raise BackendUnavailableError(
                f"backend {self._name}: response is not GraphQL",
                "Check for a proxy or a login page in front of the OAP",
                kind=FailureKind.UNUSABLE_RESPONSE,
            ) from error
        except TransportConnectionFailed as error:
            if isinstance(error.__cause__, ProviderError):
                raise _detach(error.__cause__, error) from None
            raise self._connection_error(error) from error
        self._has_responded = True
        if result.errors and not (request.optional and result.data):
            size = go_json.approximate_size(result.errors[0])
            raise await self.worker.run(size, error_from_graphql, result.errors, self._name, self.credentials.redactor)
        if not isinstance(result.data, dict):
            raise ProviderError(Reason.OAP_RESPONSE_INVALID, "no results returned from SkyWalking query")
        return result.data

    def _connection_error(self, error: TransportConnectionFailed) -> ProviderError:
        cause = error.__cause__
        mismatch = detect_mismatch(self._config.url, self._name, cause)
        text = (mismatch.problem if mismatch else "") or _describe_os_error(cause) or str(error) or type(cause).__name__
        detail = shorten(self.credentials.redactor(text))
        hint = mismatch.hint if mismatch and (mismatch.problem or not self._has_responded) else ""
        if self._config.url.startswith("https:") and _closed_after_handshake(cause):
            hint = f"Check whether the OAP requires a client certificate (backends.{self._name}.tls.certFile)"
        return BackendUnavailableError(
            f"backend {self._name} at {self._config.url} cannot be reached: {detail}",
            hint,
            kind=_classify_connection_failure(cause),
        )

    def _new_transport(self) -> AIOHTTPTransport:
        decoder = ResponseDecoder(self._name, self._config.max_answer_bytes, self.worker, self.credentials.redactor)
        return AIOHTTPTransport(
            url=f"{self._config.url}/graphql",
            client_session_args={
                "response_class": bounded_response_class(self._name, self._config.max_answer_bytes, decoder, self._now),
                "cookie_jar": aiohttp.DummyCookieJar(),
                "connector": Connector(),
                "timeout": aiohttp.ClientTimeout(total=None),
                "trust_env": False,
            },
        )


class _RawRequest(GraphQLRequest):
    """A query sent verbatim. gql parses its requests and prints them for each sending, a third of the cost."""

    def __init__(self, request: GraphqlRequest) -> None:
        super().__init__(_EMPTY_DOCUMENT, variable_values=dict(request.variables))
        self._text = request.query

    @property
    def payload(self) -> dict[str, Any]:
        """Body of the HTTP request."""
        return {"query": self._text} | ({"variables": self.variable_values} if self.variable_values else {})


_EMPTY_DOCUMENT = DocumentNode()


def _detach(cause: ProviderError, error: TransportConnectionFailed) -> ProviderError:
    """Return the cause of an error, which no longer refers to it: a cycle would keep the response in memory."""
    error.__cause__ = None
    return cause


def _classify_connection_failure(cause: BaseException | None) -> FailureKind:
    match cause:
        case aiohttp.ClientConnectorCertificateError():
            return FailureKind.UNTRUSTED_CERTIFICATE
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return FailureKind.DNS
    return FailureKind.CONNECT


def _describe_os_error(cause: BaseException | None) -> str:
    """Describe an error of the operating system, whose numbers and texts differ by platform."""
    match cause:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({cause.certificate_error})"
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return "its host name does not resolve"
        case ssl.SSLError(reason=str(reason)) | aiohttp.ClientConnectorError(os_error=ssl.SSLError(reason=str(reason))):
            return f"TLS failed ({reason})"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if number > 0:
            return os.strerror(number)
    return ""


def _closed_after_handshake(cause: BaseException | None) -> bool:
    """Return whether the OAP closed a connection after the TLS handshake: TLS 1.3 verifies the client only then."""
    if isinstance(cause, aiohttp.ClientConnectorError):
        return False
    return isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ssl.SSLError)
