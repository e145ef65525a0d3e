"""Process of the service: a log that fails, flooded listeners, files of others beside the socket, signals."""

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.tools.demo.argo_host import ArgoHost, HostError, run_argo_host
from tests.adversary.harness import (
    HEALTHY_BLOCK,
    ROOT,
    START_SECONDS,
    Service,
    StartError,
    Trial,
    outcome,
    phase_of,
    run_request,
    slow,
)

DESCRIPTORS = 1024
METRIC = {
    "name": "success-rate",
    "successCondition": "result >= 0.5",
    "provider": {"plugin": {"skywalking/metrics": dict(HEALTHY_BLOCK)}},
}


@contextlib.contextmanager
def started_without_log(trial: Trial, stderr: int, **options: Any) -> Iterator[tuple[Service, str]]:
    """Start a service whose log is the given descriptor, and yield it with the URL of its HTTP listener once ready."""
    address = find_free_address()
    service = trial.launch_service(
        {"good": trial.start_mock()}, config={"http": {"listen": address}}, stderr=stderr, **options
    )
    end = time.monotonic() + START_SECONDS
    while get(f"http://{address}/readyz") != "ok\n":
        assert service.popen.poll() is None, f"exit code {service.popen.returncode}"
        assert time.monotonic() < end, "not ready"
        time.sleep(0.05)
    yield service, f"http://{address}"


def find_free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def get(url: str, timeout: float = 30) -> str:
    """Return the body of a response; "" without one."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - loopback
            return str(response.read().decode())
    except OSError:
        return ""


def read_lost_lines(url: str) -> float:
    name = "skywalking_analysis_log_lines_lost_total "
    [line] = [line for line in get(f"{url}/metrics").splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))


def measure(service: Service, number: int, name: str = "m") -> list[str]:
    """Return the outcomes of measurements one after another, up to the first that is not Successful."""
    stub, outcomes = service.stub(), []
    for one in range(number):
        request = run_request(HEALTHY_BLOCK, name=f"{name}{one}", success="result >= 0.5")
        request.run.name = f"{name}{one}"
        outcomes.append(outcome(stub, request, 20))
        if outcomes[-1] != "Successful":
            break
    return outcomes


@pytest.mark.adversary("B10")
def test_log_that_nothing_reads_stops_neither_calls_nor_the_shutdown(trial: Trial) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with started_without_log(trial, writer) as (service, url):
        os.close(writer)

        assert set(measure(service, 300)) == {"Successful"}
        assert get(f"{url}/healthz") == "ok\n"
        assert service.stop() == 0
    os.close(reader)


@pytest.mark.adversary("B10")
@pytest.mark.slow
def test_log_of_native_code_that_nothing_reads_stops_no_call(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_VERBOSITY", "DEBUG")
    monkeypatch.setenv("GRPC_TRACE", "http")  # gRPC's core then writes several lines for each call
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with started_without_log(trial, writer) as (service, _):
        os.close(writer)

        assert set(measure(service, 20)) == {"Successful"}
        assert service.stop() == 0
    os.close(reader)


@pytest.mark.adversary("B10")
@pytest.mark.slow
def test_log_that_is_read_again_has_every_line_in_order_or_the_number_of_lost_ones(trial: Trial) -> None:
    reader, writer = os.pipe()
    with started_without_log(trial, writer) as (service, url):
        os.close(writer)
        name = "\N{GRINNING FACE}" * 240  # twelve bytes each in JSON: 300 lines are more than queue and pipe hold
        assert set(measure(service, 300, name)) == {"Successful"}
        lost = read_lost_lines(url)
        chunks: list[bytes] = []
        thread = threading.Thread(target=lambda: chunks.extend(iter(lambda: os.read(reader, 65536), b"")))
        thread.start()
        while not any(b"log lines lost" in chunk for chunk in chunks):
            time.sleep(0.05)
        assert set(measure(service, 3, "after")) == {"Successful"}
        assert service.stop() == 0
        thread.join()
    os.close(reader)

    lines = [json.loads(line) for line in b"".join(chunks).splitlines()]
    metrics = [line.get("metric", line["msg"]) for line in lines]
    kept = [one for one in metrics if one.startswith(name)]
    assert kept == [f"{name}{number}" for number in range(len(kept))]
    assert len(kept) + lost == 300
    assert [line["lines"] for line in lines if "lines" in line] == [lost]
    assert metrics[-5:] == ["after0", "after1", "after2", "stopping", "stopped"]


def close_stderr() -> None:
    os.close(2)


@pytest.mark.adversary("B10", "B11")
@pytest.mark.parametrize("output", ["full", slow("reader gone"), slow("closed")])
def test_service_starts_and_serves_without_a_log(trial: Trial, output: str) -> None:
    if output == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    options = {"preexec_fn": close_stderr} if output == "closed" else {}
    with started_without_log(trial, descriptor, **options) as (service, url):
        os.close(descriptor)

        assert set(measure(service, 3)) == {"Successful"}
        assert read_lost_lines(url) > 0
        assert service.stop() == 0


@pytest.mark.adversary("B10")
@pytest.mark.parametrize("output", ["read", "full", "nothing reads"])
def test_configuration_error_ends_the_start_with_its_message_whatever_the_log_does(output: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    descriptor = os.open("/dev/full", os.O_WRONLY) if output == "full" else writer
    if output == "nothing reads":
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
    command = [sys.executable, "-m", "skywalking_provider", "serve", "--socket", str(tmp_path / "none/p.sock")]
    environment = os.environ | {"SW_OAP_ADDRESS": "http://127.0.0.1:9"}

    done = subprocess.run(command, stderr=descriptor, env=environment, cwd=ROOT, timeout=60, check=False)

    assert done.returncode == 2
    if output == "read":
        os.close(writer)
        assert os.read(reader, 65536).startswith(b"skywalking-provider: socket: folder ")


async def run_metric(host: ArgoHost) -> str:
    run = {"metadata": {"name": "run-1", "namespace": "team-a", "uid": "u"}}
    try:
        response = await host.request("run", run=run, metric=METRIC)
    except HostError as error:
        return str(error)
    return f"{response['measurement']['phase']} {response['measurement'].get('message', '')}"


@pytest.mark.adversary("B11")
async def test_bridge_that_starts_after_the_log_failed_measures(trial: Trial, tmp_path: Path) -> None:
    binaries, folder = ROOT / ".cache/bin", tmp_path
    reader, writer = os.pipe()
    with started_without_log(trial, writer) as (service, _):
        os.close(writer)
        arguments = (
            binaries / "argo-host",
            binaries / "skywalking-bridge",
            folder / "host.log",
            f"--socket={service.socket}",
        )
        async with run_argo_host(*arguments) as first:
            assert (await run_metric(first)).startswith("Successful")
            os.close(reader)
            assert (await run_metric(first)).startswith("Successful")
            async with run_argo_host(*arguments) as second:
                assert (await run_metric(second)).startswith("Successful")
        assert service.stop() == 0


def limit_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@contextlib.contextmanager
def held_connections(open_one: Callable[[], socket.socket], number: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        connections = []
        for _ in range(number):
            with contextlib.suppress(OSError):
                connections.append(stack.enter_context(open_one()))
        yield connections


def connect(address: str, data: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), 10, (source, 0))
    connection.sendall(data)
    return connection


def count_descriptors(service: Service) -> int:
    return len(list(Path(f"/proc/{service.pid}/fd").iterdir()))


@pytest.mark.adversary("B12")
@pytest.mark.parametrize(
    "data", [b"", slow(b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: ")], ids=["nothing", "half a header"]
)
def test_listener_flooded_with_idle_connections_answers_probes_and_new_clients(trial: Trial, data: bytes) -> None:
    service = trial.start_service({"good": trial.start_mock()}, preexec_fn=limit_descriptors)
    address = service.address("http")

    with held_connections(lambda: connect(address, data), 1500):
        assert get(f"http://{address}/healthz") == "ok\n"
        assert get(f"http://{address}/readyz") == "ok\n"
        assert count_descriptors(service) < DESCRIPTORS * 0.6
        assert measure(service, 1, "new") == ["Successful"]
    assert service.stop() == 0


@pytest.mark.adversary("B12")
def test_listener_that_is_flooded_without_a_pause_answers_probes(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()}, preexec_fn=limit_descriptors)
    address = service.address("http")
    stopped = threading.Event()

    def flood() -> None:
        held: deque[socket.socket] = deque()
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                held.append(connect(address, b"GET /metrics HTTP/1.1\r\n"))
            if len(held) > 400:
                held.popleft().close()
        for connection in held:
            connection.close()

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert [get(f"http://{address}/{path}") for path in ("healthz", "readyz") * 10] == ["ok\n"] * 20
        assert measure(service, 1, "new") == ["Successful"]
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@pytest.mark.adversary("B12")
@pytest.mark.slow
def test_flood_of_one_peer_closes_no_connection_of_another(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})
    address = service.address("http")

    with connect(address, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "127.0.0.2") as prober:
        assert prober.recv(4096).startswith(b"HTTP/1.1 200")
        with held_connections(lambda: connect(address), 600):
            prober.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert prober.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
@pytest.mark.adversary("B12")
def test_connection_without_a_complete_request_is_closed(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()}, config={"page": {"listen": "127.0.0.1:0"}})
    header = b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: "

    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(connect(service.address(listener), data))
            for listener in ("http", "page")
            for data in (b"", header, header + b"x\r\n\r\n")
        ]
        for connection in connections[2::3]:  # half a header after a response
            assert connection.recv(4096).startswith(b"HTTP/1.1 ")
            connection.sendall(header)
        for connection in connections:
            connection.settimeout(60)  # the limit is 10 s, and keep-alive would end after 75 s
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass


@pytest.mark.adversary("B12")
@pytest.mark.slow
def test_endless_header_is_rejected(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})

    headers = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(10_000))

    with (
        connect(service.address("http"), b"GET /healthz HTTP/1.1\r\n") as connection,
        pytest.raises(OSError, match=r"reset|Broken pipe"),
    ):
        connection.sendall(headers)
    assert service.resident_mib("VmHWM") < 250


@pytest.mark.adversary("B12")
@pytest.mark.slow
def test_grpc_connections_that_send_nothing_leave_descriptors_for_requests(trial: Trial) -> None:
    address = find_free_address()
    service = trial.start_service(
        {"good": trial.start_mock()}, config={"socket": None, "listen": address}, preexec_fn=limit_descriptors
    )

    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(30)
        with held_connections(lambda: connect(address), 1500):
            http = service.address("http")
            assert get(f"http://{http}/healthz") == "ok\n"
            assert count_descriptors(service) < DESCRIPTORS * 0.6


@pytest.mark.adversary("W8")
def test_link_in_place_of_the_new_socket_changes_no_file(trial: Trial, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("data")
    victim.chmod(0o600)
    mock = trial.start_mock()

    for _ in range(3):
        attacker, cpu = threading.Event(), min(os.sched_getaffinity(0))
        service = trial.launch_service({"good": mock}, preexec_fn=functools.partial(os.sched_setaffinity, 0, {cpu}))
        replace_at_creation(service.socket, victim, cpu, attacker)
        assert attacker.wait(START_SECONDS)
        with contextlib.suppress(StartError):
            service.wait_for('"ready"')
        service.stop()
        service.socket.unlink(missing_ok=True)
        assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def replace_at_creation(path: Path, target: Path, cpu: int, replaced: threading.Event) -> None:
    """Replace a socket by a link in the moment of its creation: woken by inotify, on the processor of the service."""
    libc = ctypes.CDLL(None)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    libc.inotify_add_watch(descriptor, os.fsencode(path.parent), 0x100)  # IN_CREATE

    def wait_and_replace() -> None:
        os.sched_setaffinity(0, {cpu})
        while not replace_by_link(path, target):
            os.read(descriptor, 4096)
        os.close(descriptor)
        replaced.set()

    threading.Thread(target=wait_and_replace, daemon=True).start()


def replace_by_link(path: Path, target: Path) -> bool:
    """Replace a socket by a symbolic link as soon as it exists."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        path.unlink()
        path.symlink_to(target)
    except OSError:
        return False
    return True


@pytest.mark.adversary("W8")
def test_socket_of_another_process_at_the_path_is_kept_at_the_end(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})
    service.socket.unlink()
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(str(service.socket))
        squatter.listen()

        assert service.stop() == 0

        assert service.socket.exists()


@pytest.mark.adversary("W8")
def test_folder_that_every_user_may_write_is_warned_about(trial: Trial) -> None:
    trial.folder.chmod(0o777)

    service = trial.start_service({"good": trial.start_mock()})

    assert json.loads(service.wait_for("every user can exchange the socket"))["folder"] == str(trial.folder.resolve())


@pytest.mark.adversary("W9")
@pytest.mark.parametrize(
    "number", [signal.SIGHUP, slow(signal.SIGQUIT), slow(signal.SIGTERM)], ids=lambda one: one.name
)
def test_stop_signal_lets_the_call_in_flight_finish(trial: Trial, number: signal.Signals) -> None:
    oap = trial.start_hostile_oap(trial.start_mock())
    service = trial.start_service({"good": {"url": oap.url, "timeout": "9s"}})
    oap.behave("sleep", seconds=2)
    call = service.stub().Run.future(run_request(HEALTHY_BLOCK, success="result >= 0.5"), timeout=14)
    wait_for_request(service)

    service.popen.send_signal(number)

    assert phase_of(call.result()) == "Successful"
    assert service.popen.wait(30) == 0


def wait_for_request(service: Service) -> None:
    while service.metric("skywalking_analysis_backend_inflight") == 0:
        time.sleep(0.02)


@pytest.mark.adversary("W9")
@pytest.mark.slow
def test_ignored_signals_end_neither_the_service_nor_a_call(trial: Trial) -> None:
    oap = trial.start_hostile_oap(trial.start_mock())
    service = trial.start_service({"good": {"url": oap.url, "timeout": "9s"}})
    oap.behave("sleep", seconds=2)
    call = service.stub().Run.future(run_request(HEALTHY_BLOCK, success="result >= 0.5"), timeout=14)
    wait_for_request(service)

    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        service.popen.send_signal(number)

    assert phase_of(call.result()) == "Successful"
    assert service.stub().Describe(pb.DescribeRequest(), timeout=30)
    assert service.stop() == 0


@pytest.mark.adversary("W9")
def test_hangup_ignored_by_the_parent_stays_ignored(trial: Trial) -> None:
    service = trial.start_service(
        {"good": trial.start_mock()}, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )

    service.popen.send_signal(signal.SIGHUP)

    assert measure(service, 1) == ["Successful"]
    assert service.stop() == 0
