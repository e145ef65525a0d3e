"""A log that nothing reads, or that fails: neither calls nor the start nor the shutdown wait for it."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.tools.demo.argo_host import ArgoHost, HostError, run_argo_host
from tests.adversary.harness import (
    HEALTHY_BLOCK,
    ROOT,
    START_SECONDS,
    Service,
    Trial,
    slow,
)
from tests.adversary.service_client import find_free_address, get, measure

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


def read_lost_lines(url: str) -> float:
    name = "skywalking_analysis_log_lines_lost_total "
    [line] = [line for line in get(f"{url}/metrics").splitlines() if line.startswith(name)]
    return float(line.removeprefix(name))


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
