"""Listeners that are flooded, and connections that never send a whole request."""

import contextlib
import resource
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.adversary.harness import (
    Service,
    Trial,
    slow,
)
from tests.adversary.service_client import find_free_address, get, measure

DESCRIPTORS = 1024


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
