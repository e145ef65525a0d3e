"""GraphQL to one OAP: gql over one aiohttp session, foreign errors translated at this border."""

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import (
    TransportConnectionFailed,
    TransportProtocolError,
    TransportQueryError,
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
        self._client = Client(transport=self._transport(), execute_timeout=None)
        self._session: AsyncClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = await self._client.connect_async()  # type: ignore[no-untyped-call] # gql's own gap
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close_async()  # type: ignore[no-untyped-call]
        self._session = None

    async def read(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """Ask once and give the `data` of the answer.

        Raises:
            BackendAway: Nothing usable came in time; another attempt may succeed.
            ProviderError: OAP refuses, or does not accept the query; another attempt will not help.
        """
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        seconds = min(self._config.timeout.total_seconds(), deadline.remaining)
        request = GraphQLRequest(parse_query(read.query), variable_values=dict(read.variables))
        try:
            async with asyncio.timeout(seconds), self._slots:
                data = await self._session.execute(
                    request, extra_args={"allow_redirects": False, "headers": self._credentials.headers()}
                )
        except TimeoutError as error:
            raise BackendAway(f"backend {self._name} did not answer within {seconds:.3g} s") from error
        except TransportQueryError as error:
            raise from_graphql_errors(error.errors or [], self._name) from error
        except TransportServerError as error:
            raise from_status(error.code or 500, self._name) from error
        except TransportProtocolError as error:
            raise BackendAway(
                f"backend {self._name} answered no GraphQL", "is there a proxy or a login page before it?"
            ) from error
        except TransportConnectionFailed as error:
            raise self._translated(error) from error
        if data is None:
            raise ProviderError(Reason.OAP_ANSWER_INVALID, "no results returned from SkyWalking query")
        return data

    def _translated(self, error: TransportConnectionFailed) -> ProviderError:
        cause = error.__cause__
        if isinstance(cause, ProviderError):
            return cause
        if isinstance(cause, aiohttp.ClientConnectorError):
            what = os.strerror(cause.os_error.errno) if cause.os_error.errno else str(cause.os_error)
        else:
            what = str(error) or type(cause).__name__
        return BackendAway(f"backend {self._name} at {self._config.url} cannot be reached: {shorten(what)}")

    def _transport(self) -> AIOHTTPTransport:
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
                body = bytearray()
                async for chunk in self.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        self.close()
                        raise ProviderError(
                            Reason.OAP_ANSWER_INVALID,
                            f"the answer of backend {name} is longer than {limit} bytes",
                            "ask for less: a shorter interval, fewer fields",
                        )
                self._body = bytes(body)
            return self._body

    return BoundedResponse
