"""HTTP response of an OAP: its status is checked before its body, and the body is bounded and decoded."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

import aiohttp

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.transport.error_mapping import error_from_status, parse_retry_after
from skywalking_provider.oap.transport.response_decoder import ResponseDecoder


class BoundedResponse(aiohttp.ClientResponse):
    """Response of one backend.

    A charset in its headers is ignored: JSON is UTF-8, and Python's decoder of `punycode` takes quadratic time.
    """

    _backend: ClassVar[str]
    _limit: ClassVar[int]
    _decoder: ClassVar[ResponseDecoder]
    _now: Callable[[], datetime]

    _failure: Exception | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """See `aiohttp.ClientResponse.start`."""
        response = await super().start(connection)
        if not 200 <= self.status < 300 and self.status != 400:  # OAP reports an invalid query with 400
            self.close()
            retry_after = parse_retry_after(self.headers.get("Retry-After"), self.headers.get("Date"), self._now)
            raise error_from_status(self.status, self._backend, retry_after)
        return response

    async def read(self) -> bytes:
        """See `aiohttp.ClientResponse.read`."""
        if self._body is None:
            self._body = bytes(await self._read_bounded())
        return self._body

    async def json(self, **_: object) -> Any:
        """Read and decode the body, which is not kept."""
        try:
            return await self._decoder.decode(await self._read_bounded())
        except Exception as error:
            self._failure = error
            raise

    async def text(self, *_: object, **__: object) -> str:
        """Return nothing: gql requests the text of a response that `json` rejected, for the message of its error."""
        failure, self._failure = self._failure, None
        try:
            if failure is None or isinstance(failure, ValueError):
                return ""
            raise failure
        finally:
            del failure  # its traceback refers to this frame, and the cycle would keep the body in memory

    async def _read_bounded(self) -> bytearray:
        body = bytearray()
        async for chunk in self.content.iter_any():
            body += chunk
            if len(body) > self._limit:
                self.close()
                raise ProviderError(
                    Reason.OAP_RESPONSE_INVALID,
                    f"backend {self._backend}: response is larger than {self._limit} bytes (maxAnswerBytes)",
                    "Request less: a shorter interval or fewer fields",
                )
        return body


def bounded_response_class(
    backend: str, limit: int, decoder: ResponseDecoder, now: Callable[[], datetime]
) -> type[BoundedResponse]:
    """Build the class of one backend's responses.

    Args:
        backend: Name of the backend, for messages.
        limit: Maximum size of a body in bytes.
        decoder: Decoder of the bodies.
        now: Local clock, for a Retry-After date of a response without a Date.
    """
    values = {"_backend": backend, "_limit": limit, "_decoder": decoder, "_now": staticmethod(now)}
    return type("BoundedResponse", (BoundedResponse,), values)
