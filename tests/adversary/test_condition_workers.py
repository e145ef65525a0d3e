"""Conditions of one namespace that take all memory or all time, and workers that are killed."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.adversary.harness import HEALTHY_BLOCK, Service, Trial, outcome, phase_of, run_request, slow

_TIMEOUT: Final = 14.5
# Others waited for 11.8 s and more. A measurement takes milliseconds, a new worker half a second of a free core.
_MOST_SECONDS: Final = 6.0
_WORKER: Final = "worker_main"


def cel_block(success: str, number: int = 0) -> dict[str, Any]:
    """Return a block with a CEL condition. The number makes its verdict one of its own."""
    return {**HEALTHY_BLOCK, "maxWait": f"{number}s", "conditions": {"language": "cel", "success": success}}


def bomb(number: int) -> dict[str, Any]:
    """Return a block whose condition takes all memory, or leaves a worker with hardly any."""
    doubled = "['yyyyyyyyyyyyyyyy']" + ".map(a, a + a)" * (20 + number % 8)
    return cel_block(f"{number} == -1 || {doubled}.size() > 0")


def heavy(number: int) -> dict[str, Any]:
    digits = "[1,2,3,4,5,6,7,8,9,10]"
    nested = "".join(f"{digits}.all({name}, " for name in "abcd")
    return cel_block(f"{number} == -1 || {nested}a+b+c+d > 0))))")


def vary_verdict(block: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {**block, "maxWait": f"{number}s"}


def flood(
    service: Service, blocks: Iterable[dict[str, Any]], success: Callable[[int], str] = lambda _: ""
) -> Counter[str]:
    """Start all measurements at once, and return the number of outcomes."""
    stub, requests = service.stub(), []
    for number, block in enumerate(blocks):
        requests.append(run_request(block, success=success(number)))
    with ThreadPoolExecutor(len(requests)) as executor:
        return Counter(executor.map(lambda request: outcome(stub, request, _TIMEOUT), requests))


def measure_cel(service: Service, number: int = 0) -> str:
    """Return the phase and the message of a light CEL measurement of another namespace."""
    request = run_request(cel_block("result >= 0.5", number), namespace="team-b")
    measurement = service.stub().Run(request, timeout=_TIMEOUT)
    return f"{phase_of(measurement)} {measurement.message if phase_of(measurement) != 'Successful' else ''}".strip()


def http_status(service: Service, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{service.address('http')}{path}", timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def health_status(service: Service) -> int:
    with grpc.insecure_channel(f"unix:{service.socket}") as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
    return int(response.status)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def service(trial: Trial) -> Service:
    return trial.start_service({"good": trial.start_mock()})


@pytest.mark.slow
@pytest.mark.adversary("B1")
def test_conditions_that_take_too_much_memory_do_not_end_cel_for_others(trial: Trial, service: Service) -> None:
    assert measure_cel(service) == "Successful"
    probe = trial.probe(service, block=cel_block("result >= 0.5"), condition="", vary=vary_verdict)
    for wave, width in enumerate((1, 10, 60, 60)):
        flood(service, [bomb(100 * wave + number) for number in range(width)])
    time.sleep(2)  # the event loop sees the end of every worker

    assert measure_cel(service, 1) == "Successful"
    assert set(probe.stop()) == {"Successful"}
    assert probe.longest < _MOST_SECONDS
    assert http_status(service, "/readyz") == 200


@pytest.mark.adversary("B1")
@pytest.mark.parametrize(
    "kill", [signal.SIGKILL, slow(signal.SIGTERM), slow(signal.SIGSTOP)], ids=lambda kill: kill.name
)
def test_workers_that_are_killed_or_stopped_while_idle_are_replaced(service: Service, kill: signal.Signals) -> None:
    assert measure_cel(service) == "Successful"
    for number in range(1, 3):
        wait_until(lambda: len(service.children(_WORKER)) == 2)
        workers = service.children(_WORKER)
        for worker in workers:
            os.kill(worker, kill)
        if kill is not signal.SIGSTOP:
            wait_until(lambda workers=workers: not set(workers) & set(service.children(_WORKER)))  # type: ignore[misc]
        time.sleep(1)

        assert measure_cel(service, number) == "Successful"
        if kill is not signal.SIGSTOP:
            assert measure_cel(service, 100 + number) == "Successful"


@pytest.mark.slow
@pytest.mark.adversary("B1")
def test_workers_that_are_killed_again_and_again_cost_no_error(trial: Trial, service: Service) -> None:
    assert measure_cel(service) == "Successful"
    probe = trial.probe(service, block=cel_block("result >= 0.5"), condition="", vary=vary_verdict, interval=0.05)
    for _ in range(5):
        done = len(probe.seconds)
        for worker in service.children(_WORKER):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda done=done: len(probe.seconds) > done + 3)  # type: ignore[misc]

    assert set(probe.stop()) == {"Successful"}


@pytest.mark.adversary("B1")
@pytest.mark.slow
def test_service_is_not_ready_while_no_worker_can_start(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, sys\nif {_WORKER!r} in ' '.join(sys.orig_argv) and os.path.exists({str(broken)!r}): os._exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    service = trial.start_service({"good": trial.start_mock()})
    broken.touch()
    assert http_status(service, "/readyz") == 200  # CEL is not in use
    assert measure_cel(service).startswith("Running")

    wait_until(lambda: http_status(service, "/readyz") == 503)
    assert health_status(service) == health_pb2.HealthCheckResponse.NOT_SERVING
    assert http_status(service, "/healthz") == 200

    broken.unlink()
    wait_until(lambda: http_status(service, "/readyz") == 200)
    assert health_status(service) == health_pb2.HealthCheckResponse.SERVING
    assert measure_cel(service, 1) == "Successful"


@pytest.mark.slow
@pytest.mark.adversary("B9")
@pytest.mark.parametrize("width", [100, 200])
def test_heavy_cel_conditions_of_new_text_do_not_delay_others(trial: Trial, service: Service, width: int) -> None:
    assert measure_cel(service) == "Successful"
    probe = trial.probe(service, block=cel_block("result >= 0.5"), condition="", vary=vary_verdict)
    flood(service, [heavy(number) for number in range(width)])

    assert set(probe.stop()) == {"Successful"}
    assert probe.longest < _MOST_SECONDS
    assert len(probe.seconds) > 5


@pytest.mark.slow
@pytest.mark.adversary("B9")
def test_heavy_expr_conditions_do_not_delay_others_whose_conditions_are_new(trial: Trial, service: Service) -> None:
    probe = trial.probe(service, condition=lambda number: f"result >= 0.5 && {number} != 0", vary=vary_verdict)
    flood(
        service,
        [dict(HEALTHY_BLOCK)] * 200,
        success=lambda number: f"{number} == -1 || all(1..3000, all(1..3000, # >= 0))",
    )

    assert set(probe.stop()) == {"Successful"}
    assert probe.longest < _MOST_SECONDS
    assert len(probe.seconds) > 5


@pytest.mark.slow
@pytest.mark.adversary("B9")
def test_conditions_that_just_fit_the_slice_do_not_delay_others(trial: Trial, service: Service) -> None:
    probe = trial.probe(service, condition=lambda number: f"result >= 0.5 && {number} != 0", vary=vary_verdict)
    flood(
        service,
        [dict(HEALTHY_BLOCK)] * 300,
        success=lambda number: f"{number} == -1 || all(1..300, all(1..300, # >= 0))",
    )

    assert set(probe.stop()) == {"Successful"}
    assert probe.longest < _MOST_SECONDS
