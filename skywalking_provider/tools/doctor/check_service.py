"""Check of a running service as the bridge calls it: access, health and contract version."""

import asyncio
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from skywalking_provider import __version__
from skywalking_provider.contract import CONTRACT_VERSION
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.tools.doctor.findings import Finding, Section, note, ok, problem

_TIMEOUT_SECONDS = 3.0
_START_HINT = "Start it: skywalking-provider serve --config FILE"


@dataclass(frozen=True, slots=True)
class Certificates:
    """TLS files of the bridge: its certificate and key, and the CA that it trusts."""

    ca: Path
    cert: Path
    key: Path
    server_name: str | None = None


async def check_service(path: Path | None, address: str | None, certificates: Certificates | None) -> Section:
    """Check the service on a socket or at an address.

    Args:
        path: Unix socket; None for an address.
        address: host:port; None for a socket.
        certificates: TLS files for an address; None connects without TLS.
    """
    subject = str(path or address)
    if path is not None:
        findings = _check_socket(path)
        if any(one.hint for one in findings):
            return Section("service", subject, tuple(findings))
    else:
        findings = []
    try:
        async with _channel(path, address, certificates) as channel:
            findings += await _check_health_and_version(channel)
    except OSError as error:
        findings.append(problem(f"{error.filename} cannot be read ({error.strerror})", "Check its mount and its mode"))
    except grpc.aio.AioRpcError as error:
        findings.append(_rpc_error_finding(error, address, certificates))
    return Section("service", subject, tuple(findings))


def skipped_section(listen: str) -> Section:
    """Return the section of a service that requires a client certificate where none was given."""
    return Section(
        "service",
        listen,
        (
            note(
                "not checked: it serves only clients with a certificate",
                "Use that of the bridge: --address HOST:PORT, --tls-ca, --tls-cert, --tls-key",
            ),
        ),
    )


def _check_socket(path: Path) -> list[Finding]:
    try:
        status = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            return [problem(f"the folder {path.parent} does not exist", "Mount the shared volume")]
        return [problem("the socket does not exist", _START_HINT)]
    except OSError as error:
        return [problem(f"the socket cannot be read ({error.strerror})", _permission_hint())]
    if not stat.S_ISSOCK(status.st_mode):
        return [problem("it is not a socket", "Remove it, or name another path; the service creates its socket")]
    mode = stat.S_IMODE(status.st_mode)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_TIMEOUT_SECONDS)
        try:
            probe.connect(str(path))
        except PermissionError:
            message = f"user {os.getuid()} may not connect (mode {mode:04o}, group {status.st_gid})"
            return [problem(message, _permission_hint())]
        except ConnectionRefusedError:
            return [problem("no process listens on it", _START_HINT)]
        except OSError as error:
            return [problem(f"the connection failed ({error.strerror or error})", _START_HINT)]
    access = f"mode {mode:04o}, user {status.st_uid}, group {status.st_gid}"
    if mode & 0o007:
        return [problem(f"every user on this machine may connect ({access})", 'Set socketMode to "0660" or "0600"')]
    return [ok(f"it accepts connections ({access})")]


def _permission_hint() -> str:
    return "Run bridge and service as one user, or share a group (fsGroup in Kubernetes) and keep socketMode at 0660"


def _channel(path: Path | None, address: str | None, certificates: Certificates | None) -> grpc.aio.Channel:
    plain = [("grpc.enable_http_proxy", 0)]
    if path is not None:
        return grpc.aio.insecure_channel(f"unix:{path.absolute()}", options=plain)
    if certificates is None:
        return grpc.aio.insecure_channel(str(address), options=plain)
    named = certificates.server_name
    options = [*plain, *([("grpc.ssl_target_name_override", named)] if named else [])]
    credentials = grpc.ssl_channel_credentials(
        certificates.ca.read_bytes(), certificates.key.read_bytes(), certificates.cert.read_bytes()
    )
    return grpc.aio.secure_channel(str(address), credentials, options)


async def _request_health(channel: grpc.aio.Channel) -> HealthCheckResponse:
    call: Any = channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    response: HealthCheckResponse = await call(HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
    return response


async def _check_health_and_version(channel: grpc.aio.Channel) -> list[Finding]:
    checked, described = await asyncio.gather(
        _request_health(channel),
        rpc.MetricProviderStub(channel).Describe(
            pb.DescribeRequest(client_version=f"doctor {__version__}"), timeout=_TIMEOUT_SECONDS
        ),
    )
    findings = []
    if checked.status == HealthCheckResponse.SERVING:
        findings.append(ok("it is serving"))
    else:
        status = HealthCheckResponse.ServingStatus.Name(checked.status)
        findings.append(problem(f"its health status is {status}", "Read its log: it is starting or stopping"))
    version = f"{described.provider} {described.version}, contract {described.contract_version}"
    if described.contract_version.split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        message = f"{version}; this program has contract {CONTRACT_VERSION}"
        findings.append(problem(message, "Upgrade bridge and service together"))
    elif described.version != __version__:
        findings.append(note(f"{version}; this program is {__version__}", "Restart the service if it was upgraded"))
    else:
        findings.append(ok(version))
    return findings


def _rpc_error_finding(error: grpc.aio.AioRpcError, address: str | None, certificates: Certificates | None) -> Finding:
    match error.code():
        case grpc.StatusCode.PERMISSION_DENIED:
            return problem(str(error.details()), "Allow the identity, or use the certificate of the bridge")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return problem(
                f"no response within {_TIMEOUT_SECONDS:.0f} s", "Read the log of the service, and restart it"
            )
        case grpc.StatusCode.UNAVAILABLE if address and certificates:
            return problem(
                f"no connection, or the certificates do not match ({error.details()})",
                "Check that it runs, that its client CA issued --tls-cert, and that --tls-ca issued its certificate",
            )
        case grpc.StatusCode.UNAVAILABLE if address:
            return problem(
                f"no connection ({error.details()})",
                f"{_START_HINT}; if it uses TLS, add --tls-ca, --tls-cert, --tls-key",
            )
    return problem(f"{error.code().name} {error.details()}", "Check that this service listens there")
