"""Parts of the soak test that disturb the service: greedy namespace, log pipe, flood, and the check of memory."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

from bench.soak.greedy_tenant import describe_outcome, heavy_condition, read_hostile_backend
from bench.soak.listener_flood import CONNECTION_CLOSED, ListenerFlood
from bench.soak.log_pipe import LogPipe
from bench.soak.memory import CHART_LIMIT_MIB, MemoryPeaks, child_pids
from skywalking_provider.block import parse_block
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("phase", "message", "outcome"),
    [
        (pb.PHASE_SUCCESSFUL, "", "Successful"),
        (pb.PHASE_RUNNING, "PROVIDER_OVERLOADED the limit", "PROVIDER_OVERLOADED"),
        (pb.PHASE_ERROR, "could not evaluate the conditions: time limit", "CONDITION_ERROR"),
        (pb.PHASE_ERROR, "OAP_RESPONSE_INVALID response has", "OAP_RESPONSE_INVALID"),
    ],
)
def test_outcome_of_the_greedy_namespace_is_its_reason_code(phase: pb.Phase, message: str, outcome: str) -> None:
    assert describe_outcome(pb.Measurement(phase=phase, message=message)) == outcome


def test_requests_of_the_greedy_namespace_are_valid_and_all_different() -> None:
    requests = [build(number) for build in (heavy_condition, read_hostile_backend) for number in range(8)]

    assert len({request.SerializeToString() for request in requests}) == len(requests)
    for request in requests:
        parse_block(request.metric.block)
    languages = Counter("cel" if b"cel" in request.metric.block else "expr" for request in requests[:8])
    assert languages == {"cel": 4, "expr": 4}
    assert {json.loads(request.metric.block)["backend"] for request in requests} == {"soak", "hostile"}


def test_log_pipe_without_a_reader_is_full_and_loses_nothing_afterwards(tmp_path: Path) -> None:
    pipe = LogPipe(tmp_path / "log")
    pipe.suspend()
    os.write(pipe.write_end, b"x" * 100)  # read by the reader, which waits afterwards
    while not pipe.is_full:
        os.set_blocking(pipe.write_end, False)
        try:
            os.write(pipe.write_end, b"y" * 100)
        except BlockingIOError:
            break
    assert pipe.is_full

    os.close(pipe.write_end)
    pipe.join()

    assert len((tmp_path / "log").read_bytes()) > 2000


async def test_flood_counts_closed_connections_and_a_probe_that_fails_is_a_violation() -> None:
    recorded: Counter[str] = Counter()
    violations: list[str] = []

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        failed = asyncio.Event()

        def record_violation(violation: str) -> None:
            violations.append(violation)
            failed.set()

        flood = ListenerFlood([port], lambda name: recorded.update([name]), record_violation)
        flood.start()
        await asyncio.wait_for(failed.wait(), 60)
        await flood.stop()

    assert recorded.keys() <= {CONNECTION_CLOSED}

    assert "/healthz responded" in violations[0]


def test_memory_limit_is_that_of_the_chart() -> None:
    (values,) = ROOT.glob("charts/*/values.yaml")

    assert yaml.safe_load(values.read_text())["resources"]["limits"]["memory"] == f"{CHART_LIMIT_MIB}Mi"


def test_memory_peaks_above_the_limit_are_violations() -> None:
    peaks = MemoryPeaks()
    peaks.sample(os.getpid())
    assert peaks.service_mib > 10
    assert peaks.container_mib > 10
    assert MemoryPeaks(100, 200).violations() == []
    assert MemoryPeaks(513, 514).violations() == [
        "the service used 513 MiB, limit 512 MiB (chart)",
        "the service with its workers used 514 MiB, limit 512 MiB (chart)",
    ]
    assert child_pids(os.getpid(), "no such command") == []
