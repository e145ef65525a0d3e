"""One namespace against another: slow queries, floods of calls, and large requests."""

import contextlib
import itertools
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from tests.adversary.harness import HEALTHY_BLOCK, Service, Trial, free_address, outcome, phase_of, run_request

SLOW_MARK = "31337"
EXPRESSION = {"window": "3m", "service": "reviews.bookinfo", "backend": "shared", "since": "window"}


def measure_slow_queries(service: Service, callers: int, seconds: float) -> None:
    """Measure from a number of callers of team-a until a time has passed; each query is a new one."""
    numbers, end = itertools.count(), time.monotonic() + seconds

    def call(_: int) -> None:
        stub = service.stub()
        while time.monotonic() < end:
            block = EXPRESSION | {"expression": f"avg(service_sla) + {next(numbers)} + {SLOW_MARK}"}
            outcome(stub, run_request(block, namespace="team-a"), 14.5)

    with ThreadPoolExecutor(callers) as callers_of_team_a:
        list(callers_of_team_a.map(call, range(callers)))


@pytest.mark.slow
@pytest.mark.adversary("B6")
@pytest.mark.parametrize(("callers", "interval"), [(6, 0.5), (40, 0.5), (6, 4.0)])
def test_slow_queries_of_one_namespace_do_not_stop_another(trial: Trial, callers: int, interval: float) -> None:
    oap = trial.start_hostile_oap(trial.start_mock())
    service = trial.start_service({"shared": oap.url})
    oap.behave("sleep", contains=SLOW_MARK, seconds=30)
    probe = trial.probe(
        service,
        block=EXPRESSION,
        condition="",
        interval=interval,
        vary=lambda block, number: {**block, "expression": f"avg(service_cpm) + {number}"},
    )

    measure_slow_queries(service, callers, 16)

    assert set(probe.stop()) == {"Successful"}
    assert "circuit breaker opened" not in service.log.read_text()
    assert probe.longest < 4  # with all slots taken it was the rest of a timeout of 5 s


def call_at_once(service: Service, requests: Iterable[pb.RunRequest]) -> Counter[str]:
    """Send all requests over eight connections before the first response; count outcomes and reason codes."""
    stubs = [service.stub() for _ in range(8)]
    calls = [stubs[number % 8].Run.future(request, timeout=120) for number, request in enumerate(requests)]
    outcomes: Counter[str] = Counter()
    for call in calls:
        try:
            measurement = call.result()
            outcomes[f"{phase_of(measurement)} {measurement.message.split(' ')[0]}".strip()] += 1
        except grpc.RpcError as error:
            outcomes[error.code().name] += 1
    return outcomes


@pytest.mark.slow
@pytest.mark.adversary("W1")
def test_three_thousand_equal_calls_at_once_all_get_a_measurement(trial: Trial) -> None:
    service = trial.start_service({"good": trial.start_mock()})
    probe = trial.probe(service, interval=0.05, timeout=120)

    outcomes = call_at_once(
        service, (run_request(HEALTHY_BLOCK, name=f"m{number}", success="result >= 0.5") for number in range(3000))
    )

    assert set(outcomes) <= {"Successful", "Running PROVIDER_OVERLOADED"}
    assert set(probe.stop()) == {"Successful"}


@pytest.mark.slow
@pytest.mark.adversary("W1")
def test_calls_beyond_the_share_of_a_namespace_wait_and_others_are_served(trial: Trial) -> None:
    mock = trial.start_mock()
    oap = trial.start_hostile_oap(mock)
    service = trial.start_service({"good": mock, "slow": oap.url})
    oap.behave("sleep", seconds=60)
    probe = trial.probe(service, interval=0.05, timeout=120)

    slow = {**HEALTHY_BLOCK, "backend": "slow"}
    outcomes = call_at_once(service, (run_request(slow, name=f"m{number}") for number in range(4000)))

    assert set(outcomes) == {"Running OAP_UNAVAILABLE", "Running PROVIDER_OVERLOADED"}
    assert outcomes["Running OAP_UNAVAILABLE"] <= 2048
    assert set(probe.stop()) == {"Successful"}
    assert (
        service.metric("skywalking_analysis_measurements_total", reason="PROVIDER_OVERLOADED")
        == (outcomes["Running PROVIDER_OVERLOADED"])
    )


def send_half_messages(service: Service, connections: int, streams: int) -> list[socket.socket]:
    """Open HTTP/2 streams that send the beginning of a request and never its end."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    path = b"/metricprovider.v1.MetricProvider/Run"
    fields = {b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"x", b"te": b"trailers"}
    fields[b"content-type"] = b"application/grpc"
    headers = b"".join(b"\0" + bytes([len(key)]) + key + bytes([len(one)]) + one for key, one in fields.items())
    message = b"\0" + struct.pack(">I", 100_000) + b"a" * 600
    family, address = service.target.split(":", 1)
    opened = []
    for _ in range(connections):
        if family == "unix":
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(address)
        else:
            connection = socket.create_connection((family, int(address)))
        connection.settimeout(60)
        opened.append(connection)
        with contextlib.suppress(OSError):
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
            for number in range(streams):
                stream = 2 * number + 1
                connection.sendall(frame(1, 4, stream, headers) + frame(0, 0, stream, message))
    return opened


@pytest.mark.slow
@pytest.mark.adversary("W1")
@pytest.mark.parametrize("listener", ["unix", "tcp"])
def test_half_sent_messages_do_not_stop_others(trial: Trial, listener: str) -> None:
    config = {"listen": free_address()} if listener == "tcp" else {}
    service = trial.start_service({"good": trial.start_mock()}, config=config)
    # All clients of a unix socket are one peer: a call that arrives with too many others is repeated by the bridge.
    # Without the limit, others get no response at all. On a busy machine a retry may come after the bridge's 14.5 s.
    probe = trial.probe(service, interval=0.05, retries=listener == "unix", timeout=60)

    connections = send_half_messages(service, 100 if listener == "unix" else 50, 100)
    time.sleep(3)
    outcomes = probe.stop()
    for connection in connections:
        connection.close()

    assert set(outcomes) == {"Successful"}
    assert service.resident_mib("VmHWM") < MAX_PEAK_MIB


MAX_PEAK_MIB = 320
"""The chart's limit is 512 MiB. Peaks are 120 to 265 MiB; each fault took more than 380."""
LARGE = "x" * 120_000
LARGEST = "x" * 1_000_000
LARGE_REQUESTS: dict[str, tuple[Callable[[int], pb.RunRequest], str]] = {
    "blocks of 1 MB": (
        lambda number: run_request(json.dumps({"query": LARGEST}).encode(), name=f"m{number}"),
        "RESOURCE_EXHAUSTED",
    ),
    "blocks of 120 kB": (
        lambda number: run_request(json.dumps({"query": LARGE}).encode(), name=f"m{number}"),
        "Error BLOCK_INVALID",
    ),
    "valid blocks of 30 kB": (
        lambda number: run_request(json.dumps(HEALTHY_BLOCK).encode() + b" " * (30_000 - number), success="true"),
        "Successful",
    ),
    "metric names": (lambda number: run_request(HEALTHY_BLOCK, name=f"{number}{LARGE}"), "Error REQUEST_INVALID"),
    "namespaces": (lambda number: run_request(HEALTHY_BLOCK, namespace=f"{number}{LARGE}"), "Error REQUEST_INVALID"),
}


@pytest.mark.slow
@pytest.mark.adversary("W2")
@pytest.mark.parametrize("kind", LARGE_REQUESTS)
def test_memory_and_log_of_large_requests_are_bounded(trial: Trial, kind: str) -> None:
    build, expected = LARGE_REQUESTS[kind]
    service = trial.start_service({"good": trial.start_mock()})

    outcomes = call_at_once(service, map(build, range(1000)))

    assert service.resident_mib("VmHWM") < MAX_PEAK_MIB
    assert service.log.stat().st_size < 4 * 1024 * 1024
    assert set(outcomes) <= {expected, "Running PROVIDER_OVERLOADED"}
    assert outcome(service.stub(), run_request(HEALTHY_BLOCK, success="result >= 0.5"), 60) == "Successful"
