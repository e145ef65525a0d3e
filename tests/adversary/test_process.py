"""Process of the service: files of others beside the socket, and signals."""

import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from tests.adversary.harness import (
    HEALTHY_BLOCK,
    START_SECONDS,
    Service,
    StartError,
    Trial,
    phase_of,
    run_request,
    slow,
)
from tests.adversary.service_client import measure


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
