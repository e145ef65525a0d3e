"""Connections to an OAP, whose memory is bounded also before a body begins.

A loop may hand over megabytes at once, and a server may answer one request any number of times (informational answers,
RFC 9110, 15.2): aiohttp would make an object of each before anybody looks at one.
"""

from functools import partial
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

_CHUNK_BYTES: Final = 16 * 1024  # bytes
_MAX_UNREAD_RESPONSES: Final = 16  # that nobody has looked at yet, to one request


class _Protocol(ResponseHandler):
    """Takes what comes in small pieces, and leaves a server that answers too often."""

    def data_received(self, data: bytes) -> None:
        for start in range(0, max(1, len(data)), _CHUNK_BYTES):
            if self.exception() is not None:
                return
            super().data_received(data[start : start + _CHUNK_BYTES])
            if len(self._buffer) > _MAX_UNREAD_RESPONSES:
                self._buffer.clear()
                self.set_exception(aiohttp.ServerDisconnectedError("it answers many times to one request"))
                if self.transport is not None:
                    self.transport.close()


class Connector(aiohttp.TCPConnector):
    """aiohttp's, with such connections. As many as are asked for: `slots` bounds them."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=10)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment] # a partial of a subclass
