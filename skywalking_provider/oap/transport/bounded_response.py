"""HTTP response of an OAP: its status is checked before its body, and the body is bounded and decoded."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

import aiohttp

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.transport.error_mapping import error_from_status, parse_retry_after, plain_http_error
from skywalking_provider.oap.transport.protocol_mismatch import is_rejection_of_http
from skywalking_provider.oap.transport.response_decoder import ResponseDecoder

_HEAD_BYTES: Final = 1024  # of a page of HTML, which has its text there


class BoundedResponse(aiohttp.ClientResponse):
    """Response of one backend.

    A charset in its headers is ignored: JSON is UTF-8, and Python's decoder of `punycode` takes quadratic time.
    """

    _backend: ClassVar[str]
    _limit: ClassVar[int]
    _decoder: ClassVar[ResponseDecoder]
    _now: Callable[[], datetime]

    _failure: Exception | None = None
    _rejects_http: bool = False

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
            body = await self._read_bounded()
            self._rejects_http = self._is_bad_request_over_http and is_rejection_of_http(bytes(body[:_HEAD_BYTES]))
            return await self._decoder.decode(body)
        except Exception as error:
            self._failure = error
            raise

    @property
    def _is_bad_request_over_http(self) -> bool:
        return self.status == HTTPStatus.BAD_REQUEST and self.url.scheme == "http"

    def raise_for_status(self) -> None:
        """See `aiohttp.ClientResponse.raise_for_status`: gql calls it after `json` has failed."""
        if self._rejects_http:
            raise plain_http_error(self._backend)
        super().raise_for_status()

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
