"""GraphQL to one OAP: gql over one aiohttp session, foreign errors translated at this border."""

import asyncio
import os
from collections.abc import Callable
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

from skywalking_provider.conditions import jsontext
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.model import Deadline
from skywalking_provider.oap.credentials import Credentials
from skywalking_provider.oap.trouble import from_graphql_errors, from_status, shorten
from skywalking_provider.plan import Read
from skywalking_provider.spec.query import parse_query


class OapClient:
    """Reads from one OAP. Use it as an asynchronous context manager; it keeps its connections."""

    def __init__(self, name: str, config: BackendConfig) -> None:
        self._name = name
        self._config = config
        self._credentials = Credentials(config)
        self._slots = asyncio.Semaphore(config.max_requests)
        # gql's transport without its Client: an answer of `data: null` without errors would be an assertion there.
        self._transport = self._new_transport()

    async def __aenter__(self) -> Self:
        await self._transport.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """Ask once and give the `data` of the answer.

        Raises:
            BackendAway: Nothing usable came in time; another attempt may succeed.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        seconds = min(self._config.timeout.total_seconds(), deadline.remaining)
        request = GraphQLRequest(parse_query(read.query), variable_values=dict(read.variables))
        try:
            async with asyncio.timeout(seconds), self._slots:
                result = await self._transport.execute(
                    request, extra_args={"allow_redirects": False, "headers": self._credentials.headers()}
                )
        except TimeoutError as error:
            raise BackendAway(f"backend {self._name} did not answer within {seconds:.3g} s") from error
        except TransportServerError as error:
            raise from_status(error.code or 500, self._name) from error
        except TransportProtocolError as error:
            raise BackendAway(
                f"backend {self._name} answered no GraphQL", "is there a proxy or a login page before it?"
            ) from error
        except TransportConnectionFailed as error:
            raise self._translated(error) from error
        if result.errors:
            raise from_graphql_errors(result.errors, self._name)
        if not isinstance(result.data, dict):
            raise ProviderError(Reason.OAP_ANSWER_INVALID, "no results returned from SkyWalking query")
        return result.data

    def _translated(self, error: TransportConnectionFailed) -> ProviderError:
        cause = error.__cause__
        if isinstance(cause, ProviderError):
            return cause
        if isinstance(cause, aiohttp.ClientConnectorError):
            what = os.strerror(cause.os_error.errno) if cause.os_error.errno else str(cause.os_error)
        else:
            what = str(error) or type(cause).__name__
        return BackendAway(f"backend {self._name} at {self._config.url} cannot be reached: {shorten(what)}")

    def _new_transport(self) -> AIOHTTPTransport:
        return AIOHTTPTransport(
            url=f"{self._config.url}/graphql",
            json_deserialize=jsontext.load,
            client_session_args={
                "response_class": _bounded_response(self._name, self._config.max_answer_bytes),
                "cookie_jar": aiohttp.DummyCookieJar(),
                "connector": aiohttp.TCPConnector(limit=0, ttl_dns_cache=10),
                "timeout": aiohttp.ClientTimeout(total=None),
                "trust_env": False,
            },
        )


def _bounded_response(name: str, limit: int) -> Callable[..., aiohttp.ClientResponse]:
    class BoundedResponse(aiohttp.ClientResponse):
        """Judges the status before the body, and stops reading a body that is too long (after decompression)."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            response = await super().start(connection)
            if 300 <= self.status < 400 or self.status in (401, 403, 404, 502, 503, 504):
                self.close()
                raise from_status(self.status, name)
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
                Reason.OAP_ANSWER_INVALID,
                f"the answer of backend {name} is longer than {limit} bytes",
                "ask for less: a shorter interval, fewer fields",
            )

    return BoundedResponse
