"""GraphQL to one OAP: texts as they are written, over one aiohttp session; foreign errors translated at this border."""

import asyncio
import os
import socket
import ssl
from types import TracebackType
from typing import Any, Self

import aiohttp

from skywalking_provider.conditions import jsontext
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import Away, BackendAway, ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap.answers import Answer
from skywalking_provider.oap.credentials import Credentials
from skywalking_provider.oap.tls import TlsContext
from skywalking_provider.oap.trouble import from_graphql_errors, from_status, shorten
from skywalking_provider.plan import Read

_JSON = {"Content-Type": "application/json"}


class OapClient:
    """Reads from one OAP. Use it as an asynchronous context manager; it keeps its connections."""

    def __init__(self, name: str, config: BackendConfig) -> None:
        self._name = name
        self._config = config
        self._credentials = Credentials(config)
        self.mask = self._credentials.mask
        self._tls = TlsContext(name, config.tls)
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """Ask once and give the `data` of the answer.

        Args:
            read: The question.
            deadline: Of this attempt.

        Raises:
            BackendAway: Nothing usable came in time; another attempt may succeed.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        seconds = deadline.remaining
        try:
            async with asyncio.timeout(seconds):
                status, body = await self._post(read)
        except TimeoutError as error:
            raise BackendAway(f"backend {self._name} did not answer within {seconds:.3g} s", how=Away.LATE) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from error
        return self._data_of(status, body)

    async def _post(self, read: Read) -> tuple[int, bytes]:
        async with self._session.post(
            f"{self._config.url}/graphql",
            data=read.body.encode(),
            headers=_JSON | self._credentials.headers(),
            allow_redirects=False,
            ssl=self._tls.current(),
            server_hostname=self._tls.server_name,
        ) as response:
            if (
                not 200 <= response.status < 300 and response.status != 400
            ):  # OAP tells what is wrong in a query with 400
                response.close()
                raise from_status(response.status, self._name)
            return response.status, await self._bounded(response)

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, after decompression; one that is too long is read no further."""
        limit = self._config.max_answer_bytes
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > limit:
                response.close()
                raise ProviderError(
                    Reason.OAP_ANSWER_INVALID,
                    f"the answer of backend {self._name} is longer than {limit} bytes",
                    "ask for less: a shorter interval, fewer fields",
                )
        return bytes(body)

    def _data_of(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            data, errors = _answer(body)
        except ValueError as error:
            if status == 400:
                raise from_status(status, self._name) from error
            raise BackendAway(
                f"backend {self._name} answered no GraphQL", "is there a proxy or a login page before it?"
            ) from error
        if errors:
            raise from_graphql_errors(errors, self._name, self.mask)
        if data is None:
            raise ProviderError(Reason.OAP_ANSWER_INVALID, "no results returned from SkyWalking query")
        return Answer.of(data, len(body))

    def _unreachable(self, error: aiohttp.ClientError | OSError) -> BackendAway:
        what = _connection_trouble(error) or str(error) or type(error).__name__
        if self._config.url.startswith("https:") and _ended_early(error):
            what += "; does it want a client certificate (tls.certFile) that it knows?"
        return BackendAway(
            f"backend {self._name} at {self._config.url} cannot be reached: {shorten(self.mask(what))}",
            how=Away.UNREACHABLE,
        )


def _answer(body: bytes) -> tuple[dict[str, Any] | None, list[Any] | None]:
    """Data and errors of an answer of the form that the GraphQL specification gives it.

    Raises:
        ValueError: It is no GraphQL.
    """
    match jsontext.load(body.decode()):
        case {"data": dict() | None as data, "errors": list() | None as errors}:
            return data, errors
        case {"data": dict() | None as data, **others} if "errors" not in others:
            return data, None
        case {"errors": list() | None as errors, **others} if "data" not in others:
            return None, errors
    raise ValueError("no answer of GraphQL")


def _connection_trouble(cause: BaseException | None) -> str:
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


def _ended_early(cause: BaseException | None) -> bool:
    """Whether an OAP ended a connection that was secured: in TLS 1.3 it looks at our certificate only then."""
    if isinstance(cause, aiohttp.ClientConnectorError):
        return False
    return isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ssl.SSLError)
