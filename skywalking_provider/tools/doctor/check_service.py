"""A running service, asked as the bridge asks it: may we connect, does it serve, do we speak the same contract?"""

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
_START_HINT = "start it: skywalking-provider serve --config FILE"


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the bridge would show and believe; the flags have the bridge's names."""

    ca: Path
    cert: Path
    key: Path
    server_name: str | None = None


async def check_service(path: Path | None, address: str | None, certificates: Certificates | None) -> Section:
    """Look at the service on a socket or on an address, exactly one of both."""
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
        findings.append(problem(f"{error.filename} cannot be read ({error.strerror})", "check its mount and its mode"))
    except grpc.aio.AioRpcError as error:
        findings.append(_rpc_error_finding(error, address, certificates))
    return Section("service", subject, tuple(findings))


def skipped_section(listen: str) -> Section:
    """Where only certificates of the bridge's are served, and none was given."""
    return Section(
        "service",
        listen,
        (
            note(
                "it was not asked: it serves only clients with a certificate",
                "show the bridge's: --address HOST:PORT, --tls-ca, --tls-cert, --tls-key",
            ),
        ),
    )


def _check_socket(path: Path) -> list[Finding]:
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            return [problem(f"the folder {path.parent} does not exist", "mount the volume that both share there")]
        return [problem("there is no socket", _START_HINT)]
    except OSError as error:
        return [problem(f"it cannot be seen ({error.strerror})", _permission_hint())]
    if not stat.S_ISSOCK(found.st_mode):
        return [problem("it is no socket", "remove it, or name another path; the service makes its socket itself")]
    mode = stat.S_IMODE(found.st_mode)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_TIMEOUT_SECONDS)
        try:
            probe.connect(str(path))
        except PermissionError:
            who = f"user {os.getuid()} may not connect (mode {mode:04o}, group {found.st_gid})"
            return [problem(who, _permission_hint())]
        except ConnectionRefusedError:
            return [problem("nobody listens on it any more", _START_HINT)]
        except OSError as error:
            return [problem(f"it cannot be connected to ({error.strerror or error})", _START_HINT)]
    told = f"mode {mode:04o}, user {found.st_uid}, group {found.st_gid}"
    if mode & 0o007:
        return [problem(f"everybody on this machine may connect ({told})", 'set socketMode to "0660" or "0600"')]
    return [ok(f"it takes connections ({told})")]


def _permission_hint() -> str:
    return "run both as one user, or share a group (fsGroup in Kubernetes) and keep socketMode at 0660"


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
    answer: HealthCheckResponse = await call(HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
    return answer


async def _check_health_and_version(channel: grpc.aio.Channel) -> list[Finding]:
    checked, described = await asyncio.gather(
        _request_health(channel),
        rpc.MetricProviderStub(channel).Describe(
            pb.DescribeRequest(client_version=f"doctor {__version__}"), timeout=_TIMEOUT_SECONDS
        ),
    )
    found = []
    if checked.status == HealthCheckResponse.SERVING:
        found.append(ok("it serves"))
    else:
        status = HealthCheckResponse.ServingStatus.Name(checked.status)
        found.append(problem(f"it says {status}", "it starts or stops; its log says which"))
    speaks = f"{described.provider} {described.version}, contract {described.contract_version}"
    if described.contract_version.split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        words = f"{speaks}; this program speaks {CONTRACT_VERSION}"
        found.append(problem(words, "upgrade bridge and service together"))
    elif described.version != __version__:
        found.append(note(f"{speaks}; this program is {__version__}", "restart the service if it was to be upgraded"))
    else:
        found.append(ok(speaks))
    return found


def _rpc_error_finding(error: grpc.aio.AioRpcError, address: str | None, certificates: Certificates | None) -> Finding:
    match error.code():
        case grpc.StatusCode.PERMISSION_DENIED:
            return problem(str(error.details()), "add the identity, or show the certificate that the bridge has")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return problem(
                f"it did not answer within {_TIMEOUT_SECONDS:.0f} s", "it hangs: look at its log, restart it"
            )
        case grpc.StatusCode.UNAVAILABLE if address and certificates:
            return problem(
                f"no connection, or the certificates do not fit ({error.details()})",
                "is it running there, did its CA issue --tls-cert, and is --tls-ca the one that issued its own?",
            )
        case grpc.StatusCode.UNAVAILABLE if address:
            return problem(
                f"no connection ({error.details()})",
                f"{_START_HINT}; where it speaks TLS, show a certificate: --tls-ca, --tls-cert, --tls-key",
            )
    return problem(f"{error.code().name} {error.details()}", "is it this service that listens there?")
