"""GraphQL to one OAP: gql over one aiohttp session, foreign errors translated at this border."""

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
from skywalking_provider.oap.api.response_data import ResponseData
from skywalking_provider.oap.transport.connector import Connector
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.oap.transport.error_mapping import (
    error_from_graphql,
    error_from_status,
    parse_retry_after,
    shorten,
)
from skywalking_provider.oap.transport.tls import TlsContext
from skywalking_provider.support import go_json


class OapClient:
    """Reads from one OAP. Use it as an asynchronous context manager; it keeps its connections."""

    def __init__(
        self, name: str, config: BackendConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._now = now
        self._name = name
        self._config = config
        self.credentials = Credentials(config)
        self._tls = TlsContext(name, config.tls)
        # gql's transport without its Client: an answer of `data: null` without errors would be an assertion there.
        self._transport = self._new_transport()

    async def __aenter__(self) -> Self:
        await self._transport.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def read(self, request: GraphqlRequest, deadline: Deadline) -> dict[str, Any]:
        """Ask once and give the `data` of the answer.

        Args:
            request: The question.
            deadline: Of this attempt.

        Raises:
            BackendAway: Nothing usable came in time; another attempt may succeed.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        seconds = deadline.remaining
        raw_request = _RawRequest(request)
        try:
            async with asyncio.timeout(seconds):
                self._transport.ssl = self._tls.current()
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
                f"backend {self._name} did not answer within {seconds:.3g} s", kind=FailureKind.TIMEOUT
            ) from error
        except TransportServerError as error:
            raise error_from_status(error.code or 500, self._name) from error
        except TransportProtocolError as error:
            raise BackendUnavailableError(
                f"backend {self._name} answered no GraphQL",
                "is there a proxy or a login page before it?",
                kind=FailureKind.UNUSABLE_RESPONSE,
            ) from error
        except TransportConnectionFailed as error:
            raise self._connection_error(error) from error
        if result.errors:
            raise error_from_graphql(result.errors, self._name, self.credentials.redactor)
        if not isinstance(result.data, dict):
            raise ProviderError(Reason.OAP_RESPONSE_INVALID, "no results returned from SkyWalking query")
        return result.data

    def _connection_error(self, error: TransportConnectionFailed) -> ProviderError:
        cause = error.__cause__
        if isinstance(cause, ProviderError):
            return cause
        what = _describe_os_error(cause) or str(error) or type(cause).__name__
        hint = ""
        if self._config.url.startswith("https:") and _closed_after_handshake(cause):
            hint = f"does it want a client certificate (backends.{self._name}.tls.certFile) that it knows?"
        return BackendUnavailableError(
            f"backend {self._name} at {self._config.url} cannot be reached: {shorten(self.credentials.redactor(what))}",
            hint,
            kind=_classify_connection_failure(cause),
        )

    def _new_transport(self) -> AIOHTTPTransport:
        return AIOHTTPTransport(
            url=f"{self._config.url}/graphql",
            json_deserialize=_parse_response,
            client_session_args={
                "response_class": _build_response_class(self._name, self._config.max_answer_bytes, self._now),
                "cookie_jar": aiohttp.DummyCookieJar(),
                "connector": Connector(),
                "timeout": aiohttp.ClientTimeout(total=None),
                "trust_env": False,
            },
        )


class _RawRequest(GraphQLRequest):
    """A text that is sent as it is. gql's requests are parsed, and printed for each sending, a third of its cost."""

    def __init__(self, request: GraphqlRequest) -> None:
        super().__init__(_EMPTY_DOCUMENT, variable_values=dict(request.variables))
        self._text = request.query

    @property
    def payload(self) -> dict[str, Any]:
        """What is sent."""
        return {"query": self._text} | ({"variables": self.variable_values} if self.variable_values else {})


_EMPTY_DOCUMENT = DocumentNode()


def _parse_response(text: str) -> object:
    """One answer of the form that the GraphQL specification gives it; anything else is no GraphQL."""
    answer = go_json.load(text)
    if isinstance(answer, dict) and ("data" in answer or "errors" in answer):
        data, errors = answer.get("data"), answer.get("errors")
        if isinstance(data, dict | None) and isinstance(errors, list | None):
            return answer if data is None else answer | {"data": ResponseData.from_data(data, len(text))}
    raise ValueError("no answer of GraphQL")


def _classify_connection_failure(cause: BaseException | None) -> FailureKind:
    match cause:
        case aiohttp.ClientConnectorCertificateError():
            return FailureKind.UNTRUSTED_CERTIFICATE
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return FailureKind.DNS
    return FailureKind.CONNECT


def _describe_os_error(cause: BaseException | None) -> str:
    """What the operating system's numbers mean, which differ by who speaks."""
    match cause:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({cause.certificate_error})"
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return "its name is not known to DNS"
        case ssl.SSLError(reason=str(reason)) | aiohttp.ClientConnectorError(os_error=ssl.SSLError(reason=str(reason))):
            return f"TLS failed ({reason})"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if number > 0:
            return os.strerror(number)
    return ""


def _closed_after_handshake(cause: BaseException | None) -> bool:
    """Whether an OAP ended a connection that was secured: in TLS 1.3 it looks at our certificate only then."""
    if isinstance(cause, aiohttp.ClientConnectorError):
        return False
    return isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ssl.SSLError)


def _build_response_class(name: str, limit: int, now: Callable[[], datetime]) -> Callable[..., aiohttp.ClientResponse]:
    class BoundedResponse(aiohttp.ClientResponse):
        """Judges the status before the body, and stops reading a body that is too long (after decompression)."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            response = await super().start(connection)
            if not 200 <= self.status < 300 and self.status != 400:  # OAP tells what is wrong in a query with 400
                self.close()
                retry_after = parse_retry_after(self.headers.get("Retry-After"), self.headers.get("Date"), now)
                raise error_from_status(self.status, name, retry_after)
            return response

        async def read(self) -> bytes:
            if self._body is None:
                self._body = await self._bounded()
            return self._body

        async def _bounded(self) -> bytes:
            body = bytearray()
            async for chunk in self.content.iter_any():
                body += chunk
                if len(body) > limit:
                    self.close()
                    self.read = self._refuse  # type: ignore[method-assign] # gql reads once more for its message
                    return await self._refuse()
            return bytes(body)

        async def _refuse(self) -> bytes:
            raise ProviderError(
                Reason.OAP_RESPONSE_INVALID,
                f"the answer of backend {name} is longer than {limit} bytes",
                "ask for less: a shorter interval, fewer fields",
            )

    return BoundedResponse
