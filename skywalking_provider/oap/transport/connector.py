"""Connections to an OAP with bounded memory, also before the body of a response.

The event loop may pass on megabytes at once. A server may send any number of informational responses to one request
(RFC 9110, 15.2). aiohttp would build an object for each before one is read.
"""

from functools import partial
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

_CHUNK_BYTES: Final = 16 * 1024
_MAX_UNREAD_RESPONSES: Final = 16  # responses to one request that were not read yet


class _Protocol(ResponseHandler):
    """Protocol that parses data in small pieces, and disconnects from a server that sends too many responses."""

    def data_received(self, data: bytes) -> None:
        for start in range(0, max(1, len(data)), _CHUNK_BYTES):
            if self.exception() is not None:
                return
            super().data_received(data[start : start + _CHUNK_BYTES])
            if len(self._buffer) > _MAX_UNREAD_RESPONSES:
                self._buffer.clear()
                self.set_exception(aiohttp.ServerDisconnectedError("too many responses to one request"))
                if self.transport is not None:
                    self.transport.close()


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector with these connections. Their number is not limited here but by the concurrency limit."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=10)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment] # a partial of a subclass
