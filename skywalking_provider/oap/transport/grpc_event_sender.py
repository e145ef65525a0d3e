"""Sender over gRPC: SkyWalking's EventService on OAP's gRPC port, with credentials and TLS of the backend."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.json_format import ParseDict

from skywalking_provider.config import BackendConfig
from skywalking_provider.config.tls import ClientTls
from skywalking_provider.contract.skywalking import event_pb2 as pb
from skywalking_provider.contract.skywalking import event_pb2_grpc as rpc
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError, Reason
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.oap.transport.error_mapping import shorten

_MAX_RESPONSE_BYTES: Final = 64 * 1024
_VALUE: Final = re.compile("[ -~]*")
_REJECTED: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_UNREACHED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class GrpcEventSender:
    """Sender to one OAP. Each request has a connection of its own, which uses the present certificates.

    Args:
        name: Name of the backend.
        config: Its configuration.
        address: host:port of OAP's gRPC port. TLS is used if the backend's url is https.
    """

    def __init__(self, name: str, config: BackendConfig, address: str) -> None:
        self._name = name
        self._config = config
        self._address = address
        self._credentials = Credentials(config)

    async def send(self, events: Sequence[dict[str, Any]], seconds: float) -> None:
        """See `EventSender.send`."""
        messages = [ParseDict(event, pb.Event()) for event in events]
        metadata = _build_metadata(self._name, self._credentials.headers())
        async with await self._connect() as channel:
            try:
                await rpc.EventServiceStub(channel).collect(iter(messages), metadata=metadata, timeout=seconds)
            except grpc.aio.AioRpcError as error:
                raise self._map_error(error) from error
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                # grpc cancels a call whose connection fails before the messages are written.
                raise BackendUnavailableError(
                    f"the event API of backend {self._name} at {self._address} cannot be reached",
                    kind=FailureKind.CONNECT,
                ) from error

    async def close(self) -> None:
        """See `EventSender.close`. No connection is kept."""

    async def _connect(self) -> grpc.aio.Channel:
        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", _MAX_RESPONSE_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if not self._config.url.startswith("https://"):
            return grpc.aio.insecure_channel(self._address, options)
        tls = self._config.tls or ClientTls()
        if tls.server_name:
            options.append(("grpc.ssl_target_name_override", tls.server_name))
        credentials = await asyncio.to_thread(_read_credentials, self._name, tls)
        return grpc.aio.secure_channel(self._address, credentials, options)

    def _map_error(self, error: grpc.aio.AioRpcError) -> ProviderError:
        code, detail = error.code(), shorten(self._credentials.redact(error.details() or ""))
        text = f"the event API of backend {self._name} at {self._address} responded {code.name}: {detail}"
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return ProviderError(
                Reason.OAP_REJECTED, text, "Enable OAP's module receiver-event, or set events.enabled to false"
            )
        if code in _REJECTED:
            return ProviderError(Reason.OAP_REJECTED, text, f"Check the credentials of backends.{self._name}")
        return BackendUnavailableError(
            text, kind=FailureKind.UNAVAILABLE if code in _UNREACHED else FailureKind.SERVER_ERROR
        )


def _is_cancelled() -> bool:
    """Return whether the current task is cancelled, and not only a call that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _build_metadata(name: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return HTTP headers as metadata. gRPC's own error for one that it cannot send would repeat the secret."""
    for header, text in headers.items():
        if header.lower().startswith("grpc-") or header.lower().endswith("-bin") or not _VALUE.fullmatch(text):
            raise ProviderError(
                Reason.OAP_REJECTED,
                f"backends.{name}: header {header} cannot be sent over gRPC",
                "Remove events.address to report over HTTP",
            )
    return [(header.lower(), text) for header, text in headers.items()]


def _read_credentials(name: str, tls: ClientTls) -> grpc.ChannelCredentials:
    try:
        return grpc.ssl_channel_credentials(
            root_certificates=tls.ca_file.read_bytes() if tls.ca_file else None,
            private_key=tls.key_file.read_bytes() if tls.key_file else None,
            certificate_chain=tls.cert_file.read_bytes() if tls.cert_file else None,
        )
    except OSError as error:
        raise BackendUnavailableError(
            f"tls of backend {name} cannot be used: {error}",
            "Check its files and their mount",
            kind=FailureKind.LOCAL_CONFIG,
        ) from error
