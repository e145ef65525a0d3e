"""Authorization of clients by their certificate: only the identities that the configuration names are served."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import grpc.aio
import structlog
from cachetools import LRUCache

_MAX_LOGGED = 64  # rejected identities that are remembered, so that each is logged once

_log = structlog.get_logger()
_Context = grpc.aio.ServicerContext[Any, Any]


class ClientIdentityInterceptor(grpc.aio.ServerInterceptor):
    """Interceptor that rejects calls of clients whose certificate names none of the allowed identities.

    It precedes `ReceiveLimiter`, so that no message of such a client is received.

    Args:
        identities: Allowed URI or DNS names.
    """

    def __init__(self, identities: Collection[str]) -> None:
        self._identities = frozenset(identities)
        self._logged: LRUCache[frozenset[str], bool] = LRUCache(maxsize=_MAX_LOGGED)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a call, wrapped in the identity check."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.request_streaming:
            return None  # unknown method; `ReceiveLimiter` makes a stream of each request

        async def guarded(requests: Any, context: _Context) -> Any:
            await self._authorize(context)
            return await (handler.stream_stream or handler.stream_unary)(requests, context)

        guard = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return guard(guarded, handler.request_deserializer, handler.response_serializer)

    async def _authorize(self, context: _Context) -> None:
        presented = extract_identities(context.auth_context())
        if self._identities.isdisjoint(presented):
            if presented not in self._logged:
                self._logged[presented] = True
                _log.warning("client rejected", identities=sorted(presented), peer=context.peer())
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"client certificate not allowed: it names {', '.join(sorted(presented)) or 'no identity'}. "
                "Add the identity to tls.allowedIdentities of the provider.",
            )


def extract_identities(auth_context: Any) -> frozenset[str]:
    """Return the URI and DNS names of a client's certificate."""
    return frozenset(
        name.decode("utf-8", "replace") for kind in ("peer_uri", "peer_dns") for name in auth_context.get(kind, ())
    )
