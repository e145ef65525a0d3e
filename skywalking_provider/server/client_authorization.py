"""Who may ask: of those with a certificate of our CA, the ones that the configuration names."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import grpc.aio
import structlog
from cachetools import LRUCache

_MAX_LOGGED = 64  # strangers that the log names once each

_log = structlog.get_logger()
_Context = grpc.aio.ServicerContext[Any, Any]


class ClientIdentityInterceptor(grpc.aio.ServerInterceptor):
    """Refuses every call of a client whose certificate names none of the identities.

    Args:
        identities: URI or DNS names.
    """

    def __init__(self, identities: Collection[str]) -> None:
        self._identities = frozenset(identities)
        self._logged: LRUCache[frozenset[str], bool] = LRUCache(maxsize=_MAX_LOGGED)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of a call, behind the check."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return None  # there is none, or none that is served to others than this machine

        async def guarded(request: Any, context: _Context) -> Any:
            await self._check(context)
            return await (handler.unary_stream or handler.unary_unary)(request, context)

        guard = (
            grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
        )
        return guard(guarded, handler.request_deserializer, handler.response_serializer)

    async def _check(self, context: _Context) -> None:
        shown = extract_identities(context.auth_context())
        if self._identities.isdisjoint(shown):
            if shown not in self._logged:
                self._logged[shown] = True
                _log.warning("a client was refused", identities=sorted(shown), peer=context.peer())
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"the client certificate names {', '.join(sorted(shown)) or 'nobody'}, which may not ask here; "
                "an administrator adds it to tls.allowedIdentities of the provider",
            )


def extract_identities(auth_context: Any) -> frozenset[str]:
    """The URI and DNS names of a client's certificate."""
    return frozenset(
        name.decode("utf-8", "replace") for kind in ("peer_uri", "peer_dns") for name in auth_context.get(kind, ())
    )
