"""Senders against servers: the request, its credentials and certificates, and the meaning of each response."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from skywalking_provider.config import BackendConfig
from skywalking_provider.contract.skywalking import event_pb2 as pb
from skywalking_provider.contract.skywalking import event_pb2_grpc as rpc
from skywalking_provider.errors import BackendUnavailableError, FailureKind, ProviderError
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.oap.transport.grpc_event_sender import GrpcEventSender
from skywalking_provider.oap.transport.http_event_sender import HttpEventSender
from skywalking_provider.reporting.event import build_events
from skywalking_provider.reporting.reporters import build_sender
from tests.mock_oap.client import post
from tests.reporting.harness import build_event, instances
from tests.security.certificates import CertificateAuthority, replace_file

EVENTS = [one.to_json() for one in build_events(build_event(entities=instances(2)), 5)]
QUERY = "query q($uuid: String) { queryEvents(condition: {uuid: $uuid, paging: {pageSize: 5}}) { events { uuid } } }"


def backend(url: str, **config: Any) -> BackendConfig:
    return BackendConfig.model_validate({"url": url} | config)


@asynccontextmanager
async def http_sender(url: str, **config: Any) -> AsyncIterator[HttpEventSender]:
    sender = HttpEventSender("prod", backend(url, **config))
    try:
        yield sender
    finally:
        await sender.close()


async def read_uuids(oap: MockOap) -> list[str]:
    return [
        one["uuid"]
        for event in EVENTS
        for one in (await post(oap, QUERY, uuid=event["uuid"]))["data"]["queryEvents"]["events"]
    ]


async def test_http_sender_reports_events_with_the_credentials_of_the_backend() -> None:
    async with MockOap() as oap, http_sender(oap.address, bearer={"token": "hunter2-token"}) as sender:
        await sender.send(EVENTS, 10)
        await sender.send(EVENTS, 10)
        request = oap.requests[0]

        assert (request.method, request.path, request.json) == ("POST", "/v3/events", EVENTS)
        assert request.headers["Authorization"] == "Bearer hunter2-token"
        assert await read_uuids(oap) == [one["uuid"] for one in EVENTS]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ({"kind": "status", "status": 401}, ProviderError, "Check the credentials of backends.prod"),
        ({"kind": "status", "status": 404}, ProviderError, "Enable OAP's module receiver-event"),
        ({"kind": "redirect"}, ProviderError, "redirects are not followed"),
        ({"kind": "status", "status": 503}, BackendUnavailableError, "503 Service Unavailable"),
        ({"kind": "status", "status": 500}, BackendUnavailableError, "500 Internal Server Error"),
        ({"kind": "reset"}, BackendUnavailableError, "cannot be reached"),
    ],
)
async def test_http_response_is_an_error_with_its_next_step(
    fault: dict[str, Any], error: type[ProviderError], text: str
) -> None:
    async with MockOap() as oap, http_sender(oap.address) as sender:
        oap.add_fault(**fault)
        with pytest.raises(ProviderError) as raised:
            await sender.send(EVENTS, 10)

    assert type(raised.value) is error
    assert text in str(raised.value)


async def test_http_request_to_a_hanging_api_ends_after_its_time() -> None:
    async with MockOap() as oap, http_sender(oap.address) as sender:
        oap.add_fault("hang")
        with pytest.raises(BackendUnavailableError) as raised:
            await sender.send(EVENTS, 0.2)

    assert raised.value.kind is FailureKind.TIMEOUT


async def test_http_response_body_is_not_read() -> None:
    async with MockOap() as oap, http_sender(oap.address) as sender:
        oap.add_fault("huge", size=1 << 30)
        await sender.send(EVENTS, 60)


async def test_http_sender_verifies_the_certificate(tmp_path: Path) -> None:
    authority, other = CertificateAuthority(), CertificateAuthority()
    for name, one in (("ca.crt", authority), ("other.crt", other)):
        replace_file(tmp_path / name, one.pem)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*authority.issue("127.0.0.1").write(tmp_path))
    async with MockOap(tls=server) as oap:
        async with http_sender(oap.address, tls={"caFile": str(tmp_path / "ca.crt")}) as sender:
            await sender.send(EVENTS, 30)
        async with http_sender(oap.address, tls={"caFile": str(tmp_path / "other.crt")}) as sender:
            with pytest.raises(BackendUnavailableError, match="cannot be reached"):
                await sender.send(EVENTS, 30)

    assert len(oap.requests) == 1


class EventService(rpc.EventServiceServicer):
    """Event service of an OAP."""

    def __init__(self) -> None:
        self.events: list[pb.Event] = []
        self.metadata: list[dict[str, str]] = []
        self.status: grpc.StatusCode | None = None
        self.hangs = False

    async def collect(self, request_iterator: AsyncIterator[pb.Event], context: Any) -> pb.Commands:
        self.metadata.append(dict(context.invocation_metadata()))
        if self.hangs:
            await asyncio.Event().wait()
        self.events += [event async for event in request_iterator]
        if self.status is not None:
            await context.abort(self.status, "token hunter2-token")
        return pb.Commands()


@asynccontextmanager
async def grpc_oap(credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[tuple[EventService, str]]:
    server, service = grpc.aio.server(), EventService()
    rpc.add_EventServiceServicer_to_server(service, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield service, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_grpc_sender_reports_events_with_the_credentials_of_the_backend() -> None:
    async with grpc_oap() as (service, address):
        config = backend("http://oap:12800", headers={"Authentication": "hunter2-token"}, events={"address": address})
        sender = build_sender("prod", config)
        await sender.send(EVENTS, 30)
        await sender.close()

    assert isinstance(sender, GrpcEventSender)
    first = service.events[0]
    assert [one.uuid for one in service.events] == [one["uuid"] for one in EVENTS]
    assert (first.layer, first.source.serviceInstance) == ("MESH", "reviews-6c85f7bf4-00000")
    assert (first.startTime, first.endTime) == (EVENTS[0]["startTime"], EVENTS[0]["endTime"])
    assert dict(first.parameters) == EVENTS[0]["parameters"]
    assert service.metadata[0]["authentication"] == "hunter2-token"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ProviderError, None),
        (grpc.StatusCode.UNIMPLEMENTED, ProviderError, None),
        (grpc.StatusCode.UNAUTHENTICATED, ProviderError, None),
        (grpc.StatusCode.UNAVAILABLE, BackendUnavailableError, FailureKind.UNAVAILABLE),
        (grpc.StatusCode.UNKNOWN, BackendUnavailableError, FailureKind.SERVER_ERROR),
    ],
)
async def test_grpc_status_is_an_error_without_credentials(
    status: grpc.StatusCode, error: type[ProviderError], kind: FailureKind | None
) -> None:
    async with grpc_oap() as (service, address):
        service.status = status
        sender = GrpcEventSender("prod", backend("http://oap", bearer={"token": "hunter2-token"}), address)
        with pytest.raises(ProviderError) as raised:
            await sender.send(EVENTS, 30)

    assert type(raised.value) is error
    assert getattr(raised.value, "kind", None) is kind
    assert status.name in str(raised.value)
    assert "hunter2" not in str(raised.value)


async def test_grpc_request_to_a_hanging_api_ends_after_its_time() -> None:
    async with grpc_oap() as (service, address):
        service.hangs = True
        with pytest.raises(BackendUnavailableError, match="DEADLINE_EXCEEDED"):
            await GrpcEventSender("prod", backend("http://oap"), address).send(EVENTS, 0.2)


@pytest.mark.parametrize("events", [[], EVENTS, EVENTS * 20])
async def test_grpc_port_without_a_listener_is_an_unavailable_backend(events: list[dict[str, Any]]) -> None:
    sender = GrpcEventSender("prod", backend("http://oap"), "127.0.0.1:9")
    for _ in range(5):
        with pytest.raises(BackendUnavailableError, match="event API of backend prod"):
            await sender.send(events, 30)


async def test_cancelled_grpc_request_ends_its_task() -> None:
    async with grpc_oap() as (service, address):
        service.hangs = True
        task = asyncio.create_task(GrpcEventSender("prod", backend("http://oap"), address).send(EVENTS, 3600))
        async with asyncio.timeout(60):
            while not service.metadata:  # noqa: ASYNC110 - the server signals nothing
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait([task])

    assert task.cancelled()


@pytest.mark.parametrize("headers", [{"X-Token": "hunter2-é"}, {"X-Token-Bin": "hunter2"}, {"grpc-x": "hunter2"}])
async def test_header_that_grpc_cannot_send_is_an_error_without_its_value(headers: dict[str, str]) -> None:
    sender = GrpcEventSender("prod", backend("http://oap", headers=headers), "127.0.0.1:9")
    with pytest.raises(ProviderError, match="cannot be sent over gRPC") as raised:
        await sender.send(EVENTS, 1)

    assert "hunter2" not in str(raised.value)


async def test_grpc_sender_uses_the_certificates_of_the_backend(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    replace_file(tmp_path / "ca.crt", authority.pem)
    authority.issue("client").write(tmp_path, "client")
    certificate = authority.issue("oap.example.org")
    credentials = grpc.ssl_server_credentials(
        [(certificate.key, certificate.certificate)], authority.pem, require_client_auth=True
    )
    files = {"caFile": "ca.crt", "certFile": "client.crt", "keyFile": "client.key"}
    tls = {key: str(tmp_path / name) for key, name in files.items()}
    async with grpc_oap(credentials) as (service, address):
        trusted = backend("https://oap", tls=tls | {"serverName": "oap.example.org"})
        await GrpcEventSender("prod", trusted, address).send(EVENTS, 30)
        with pytest.raises(BackendUnavailableError):  # another name than that of the certificate
            await GrpcEventSender("prod", backend("https://oap", tls=tls), address).send(EVENTS, 30)
        with pytest.raises(BackendUnavailableError):  # no TLS with an http:// url
            await GrpcEventSender("prod", backend("http://oap"), address).send(EVENTS, 30)
        missing = backend("https://oap", tls={"caFile": str(tmp_path / "none")})
        with pytest.raises(BackendUnavailableError) as raised:
            await GrpcEventSender("prod", missing, address).send(EVENTS, 30)

    assert raised.value.kind is FailureKind.LOCAL_CONFIG
    assert len(service.events) == len(EVENTS)
