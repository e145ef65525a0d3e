"""gRPC service on its socket: contract, socket ownership, readiness and two-stage stop."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from skywalking_provider.config import BackendConfig, Config, ConfigError
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.server import lifecycle
from skywalking_provider.server.admission import Admission
from skywalking_provider.server.endpoint import Endpoint, resolve_endpoint
from skywalking_provider.server.lifecycle import SERVICE, open_server
from skywalking_provider.server.unix_socket import exclusive_socket_path

UNREACHABLE_BACKEND = BackendConfig.model_validate({"url": "http://127.0.0.1:9"})
QUERY = (
    'query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "a"}, duration: $duration) { label } }'
)


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    config = Config(backends={"prod": UNREACHABLE_BACKEND})
    path = tmp_path / "p.sock"
    async with open_server(config, Endpoint(path, None)), grpc.aio.insecure_channel(f"unix:{path}") as channel:
        yield channel


def metric(**block: object) -> pb.Metric:
    return pb.Metric(name="apdex", block=json.dumps({"interval": "3m", "query": QUERY} | block).encode())


async def test_describe_returns_the_contract_version(channel: grpc.aio.Channel) -> None:
    described = await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(client_version="test"))

    assert described.contract_version.split(".")[0] == "1"
    assert described.provider == "skywalking"


async def test_socket_serves_health_checks_and_reflection(channel: grpc.aio.Channel) -> None:
    for name in ("", SERVICE):
        response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
        assert response.status == health_pb2.HealthCheckResponse.SERVING

    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    async for response in stream:
        assert SERVICE in [service.name for service in response.list_services_response.service]


async def test_run_backend_unavailable_returns_running(channel: grpc.aio.Channel) -> None:
    measurement = await rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=metric()), timeout=10)

    assert measurement.phase == pb.PHASE_RUNNING
    assert measurement.message.startswith("OAP_UNAVAILABLE backend prod at http://127.0.0.1:9 cannot be reached")
    assert not measurement.HasField("finished_at")
    assert 0 < measurement.resume_at.seconds - measurement.started_at.seconds <= 60
    assert measurement.resume_at.nanos == 0


async def test_call_beyond_the_share_of_its_namespace_waits_as_for_an_unavailable_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "Admission", lambda: Admission(max_calls=0))
    config, path = Config(backends={"prod": UNREACHABLE_BACKEND}), tmp_path / "p.sock"
    run = pb.Run(namespace="team")
    async with open_server(config, Endpoint(path, None)), grpc.aio.insecure_channel(f"unix:{path}") as channel:
        stub = rpc.MetricProviderStub(channel)
        first = await stub.Run(pb.RunRequest(metric=metric(), run=run), timeout=10)
        first.started_at.seconds -= 7 * 24 * 3600
        resumed = await stub.Resume(pb.ResumeRequest(metric=metric(), run=run, measurement=first), timeout=10)

    assert first.phase == pb.PHASE_RUNNING
    assert first.message.startswith("PROVIDER_OVERLOADED call limit of namespace team reached: 0 of its calls")
    assert (resumed.phase, resumed.started_at) == (pb.PHASE_INCONCLUSIVE, first.started_at)


@pytest.mark.parametrize(
    ("field", "limit"),
    [("metric.name", 253), ("run.namespace", 63), ("run.name", 253), ("run.uid", 63), ("run.owner.name", 253)],
)
async def test_name_beyond_its_limit_is_an_error_with_field_and_limit(
    channel: grpc.aio.Channel, field: str, limit: int
) -> None:
    request = pb.RunRequest(metric=metric())
    *path, name = field.split(".")
    target = request
    for part in path:
        target = getattr(target, part)
    setattr(target, name, "n" * (limit + 1))

    with capture_logs() as logs:
        run = await rpc.MetricProviderStub(channel).Run(request, timeout=10)
        resumed = await rpc.MetricProviderStub(channel).Resume(
            pb.ResumeRequest(metric=request.metric, run=request.run), timeout=10
        )

    for measurement in (run, resumed):
        assert measurement.phase == pb.PHASE_ERROR
        assert measurement.message == (
            f"REQUEST_INVALID {field} has {limit + 1} characters; at most {limit} are allowed. Shorten the name"
        )
    assert "n" * (limit + 1) not in str(logs)


async def test_resume_outage_grace_over_returns_inconclusive_with_the_start(channel: grpc.aio.Channel) -> None:
    started = pb.Measurement(phase=pb.PHASE_RUNNING)
    started.started_at.FromJsonString("2026-11-01T09:00:00Z")

    measurement = await rpc.MetricProviderStub(channel).Resume(
        pb.ResumeRequest(metric=metric(), measurement=started), timeout=10
    )

    assert measurement.phase == pb.PHASE_INCONCLUSIVE
    assert measurement.started_at == started.started_at
    assert measurement.HasField("finished_at")
    assert "outageGrace" in measurement.message


async def test_run_invalid_block_returns_an_error_measurement(channel: grpc.aio.Channel) -> None:
    for block in (b"", b"\xff\xfe", b"[]", b'{"interval": "3m"}'):
        measurement = await rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=pb.Metric(block=block)))

        assert measurement.phase == pb.PHASE_ERROR
        assert measurement.message.startswith("BLOCK_INVALID the block of the metric is invalid")
        assert measurement.value == ""


async def test_metadata_returns_the_query_without_a_request_to_an_oap(channel: grpc.aio.Channel) -> None:
    stub = rpc.MetricProviderStub(channel)

    good = await stub.GetMetadata(pb.GetMetadataRequest(metric=metric()), timeout=30)
    bad = await stub.GetMetadata(pb.GetMetadataRequest(metric=metric(backend="nope")), timeout=30)

    assert 'readMetricsValues(condition: {name: "a"}' in good.metadata["ResolvedSkyWalkingQuery"]
    assert (good.metadata["backend"], good.metadata["window"]) == ("prod", "3m")
    assert bad.metadata["error"].startswith("BACKEND_NOT_FOUND backend: 'nope' is not configured")


async def test_terminate_and_garbage_collect_return_at_once(channel: grpc.aio.Channel) -> None:
    stub = rpc.MetricProviderStub(channel)
    finished = pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value="1")

    assert await stub.Terminate(pb.TerminateRequest(measurement=finished)) == finished
    assert await stub.GarbageCollect(pb.GarbageCollectRequest(limit=10)) == pb.GarbageCollectResponse()


async def test_socket_has_its_mode_and_is_removed_at_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}, "socketMode": "0600"})

    async with open_server(config, Endpoint(path, None)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "socket and listen are missing"),
        ({"socket": "/a", "listen": "127.0.0.1:1"}, "Keep one of them"),
        ({"socket": "/no/such/folder/p.sock"}, "does not exist"),
        ({"socket": "/" + "x" * 120}, "100 characters"),
        ({"listen": "127.0.0.1"}, "host:port"),
        ({"listen": "0.0.0.0:9500"}, "--insecure"),
        ({"listen": "example.org:9500"}, "--insecure"),
        ({"listen": "127.0.0.1:99999"}, "host:port"),
    ],
)
def test_endpoint_invalid_is_rejected_with_a_hint(keys: dict[str, str], message: str) -> None:
    config = Config.model_validate({"backends": {"prod": {"url": "http://oap"}}} | keys)

    with pytest.raises(ConfigError, match=message):
        resolve_endpoint(config)


@pytest.mark.parametrize("address", ["127.0.0.1:9500", "[::1]:9500", "localhost:0"])
def test_endpoint_on_loopback_needs_no_tls(address: str) -> None:
    config = Config.model_validate({"backends": {"prod": {"url": "http://oap"}}, "listen": address})

    assert resolve_endpoint(config).target == address


def test_socket_path_with_stale_socket_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()

    with exclusive_socket_path(path):
        assert not path.exists()


def test_socket_path_with_listening_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with pytest.raises(ConfigError, match="another service listens"), exclusive_socket_path(path):
            pass
        assert path.exists()


def test_socket_path_with_full_accept_queue_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    with socket.socket(socket.AF_UNIX) as other, ExitStack() as callers:
        other.bind(str(path))
        other.listen(0)
        for _ in range(3):
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            caller.connect_ex(str(path))

        with pytest.raises(ConfigError, match="another service listens"), exclusive_socket_path(path):
            pass
        assert path.exists()


def test_socket_path_with_regular_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    path.write_text("precious")

    with pytest.raises(ConfigError, match="is not a socket"), exclusive_socket_path(path):
        pass
    assert path.read_text() == "precious"


async def test_socket_path_of_a_running_service_is_kept(tmp_path: Path) -> None:
    config = build_config(tmp_path / "p.sock")
    endpoint = resolve_endpoint(config)
    async with open_server(config, endpoint):
        with pytest.raises(ConfigError, match="owned by another service"):
            async with open_server(config, endpoint):
                pass

        async with grpc.aio.insecure_channel(endpoint.target) as channel:
            assert await rpc.MetricProviderStub(channel).Describe(pb.DescribeRequest(), timeout=30)
    async with open_server(config, endpoint):
        assert (tmp_path / "p.sock").exists()


def build_config(path: Path) -> Config:
    return Config.model_validate({"backends": {"prod": {"url": "http://oap"}}, "socket": str(path)})


@contextmanager
def run_service(tmp_path: Path, url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and yield its process once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "skywalking_provider", "serve", "--socket", str(tmp_path / "p.sock"), *arguments],
        env=os.environ | {"SW_OAP_ADDRESS": url},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        assert json.loads(process.stderr.readline())["msg"] == "ready"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def wait_for_log(process: subprocess.Popen[str], message: str) -> None:
    """Read the log up to a message."""
    assert process.stderr
    while json.loads(process.stderr.readline())["msg"] != message:
        pass


@contextmanager
def unresponsive_oap() -> Iterator[socket.socket]:
    """Open a server that accepts connections and never sends a response."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def server_url(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


async def run_call(tmp_path: Path) -> pb.Measurement:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'p.sock'}") as channel:
        return await rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=metric()), timeout=10)


async def test_first_signal_lets_calls_in_flight_finish(tmp_path: Path) -> None:
    with unresponsive_oap() as oap, run_service(tmp_path, server_url(oap)) as process:
        call = asyncio.create_task(run_call(tmp_path))
        connection, _ = await asyncio.to_thread(oap.accept)  # the request times out after 5 s (timeout)

        process.send_signal(signal.SIGTERM)
        measurement = await call

        assert measurement.phase == pb.PHASE_RUNNING
        assert "within 5 s" in measurement.message
        assert await asyncio.to_thread(process.wait, 5) == 0
        connection.close()


async def test_second_signal_cancels_calls_in_flight(tmp_path: Path) -> None:
    with unresponsive_oap() as oap, run_service(tmp_path, server_url(oap)) as process:
        call = asyncio.create_task(run_call(tmp_path))
        connection, _ = await asyncio.to_thread(oap.accept)

        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(wait_for_log, process, "stopping")
        process.send_signal(signal.SIGTERM)

        with pytest.raises(grpc.aio.AioRpcError):
            await call
        assert await asyncio.to_thread(process.wait, 3) == 0
        connection.close()


def test_serve_invalid_configuration_exits_2_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skywalking_provider", "serve", "--socket", str(tmp_path / "none" / "p.sock")],
        env={"PATH": os.environ["PATH"], "SW_OAP_ADDRESS": "http://oap"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("skywalking-provider: socket: folder ")
    assert len(done.stderr.splitlines()) == 1


def test_serve_print_config_prints_the_effective_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skywalking_provider", "serve", "--print-config", "--log-level", "debug"],
        env={"PATH": os.environ["PATH"], "SW_OAP_ADDRESS": "http://oap", "SWP_LOG__FORMAT": "json"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "url: http://oap\n" in done.stdout
    assert "level: debug\n  format: json\n" in done.stdout
