"""Sender over HTTP: `POST /v3/events` on OAP's REST port, with the credentials and certificates of the backend."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.transport.connector import Connector
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.oap.transport.error_mapping import error_from_status, shorten
from skywalking_provider.oap.transport.tls import TlsContext

PATH: Final = "/v3/events"


class HttpEventSender:
    """Sender to one OAP. Its connections are not those of the queries, so that neither delays the other.

    Args:
        name: Name of the backend.
        config: Its configuration.
    """

    def __init__(self, name: str, config: BackendConfig) -> None:
        self._name = name
        self._url = f"{config.url}{PATH}"
        self._credentials = Credentials(config)
        self._tls = TlsContext(name, config.tls)
        # State: the session, opened by the first request.
        self._session: aiohttp.ClientSession | None = None

    async def send(self, events: Sequence[dict[str, Any]], seconds: float) -> None:
        """See `EventSender.send`. The body of the response is not read."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=Connector(), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(
                    self._url,
                    json=list(events),
                    headers=self._credentials.headers(),
                    ssl=await self._tls.current(),
                    server_hostname=self._tls.server_name,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as response,
            ):
                status = response.status
        except TimeoutError as error:
            raise BackendUnavailableError(
                f"the event API of backend {self._name} did not respond within {seconds:.3g} s",
                kind=FailureKind.TIMEOUT,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = shorten(self._credentials.redact(str(error) or type(error).__name__))
            raise BackendUnavailableError(
                f"the event API of backend {self._name} at {self._url} cannot be reached: {detail}",
                kind=FailureKind.CONNECT,
            ) from error
        if status == HTTPStatus.NOT_FOUND:
            raise ProviderError(
                Reason.OAP_REJECTED,
                f"backend {self._name} has no {PATH}",
                "Enable OAP's module receiver-event, or set events.enabled to false",
            )
        if status != HTTPStatus.OK:
            raise error_from_status(status, self._name)

    async def close(self) -> None:
        """See `EventSender.close`."""
        if self._session is not None:
            await self._session.close()
