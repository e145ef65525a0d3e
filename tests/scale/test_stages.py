"""Stages of a measurement: which stacks belong to which stage, which ones wait, and the CPU time of each."""

from typing import Any

import pytest

from bench.report import report_tables
from bench.stages import OTHER, classify_stack, compute_cpu_ms, compute_stage_times, count_stages

LOOP = "Runner.run (asyncio/runners.py:118)"
RUN = "MetricProviderService.Run (skywalking_provider/server/service.py:67)"
ENGINE = "Engine._measure (skywalking_provider/analysis/engine.py:132)"
READ = "OapClient.read (skywalking_provider/oap/transport/client.py:77)"


@pytest.mark.parametrize(
    ("frames", "stage"),
    [
        ([LOOP, RUN, ENGINE], "engine"),
        ([LOOP, RUN, ENGINE, "dumps (json/__init__.py:238)", "0x7fed (libc.so.6)"], "engine"),
        ([LOOP, RUN, ENGINE, READ, "ClientSession._request (aiohttp/client.py:558)"], "HTTP client"),
        ([LOOP, RUN, ENGINE, "SingleFlight._run (skywalking_provider/oap/traffic/single_flight.py:9)"], "OAP client"),
        ([LOOP, RUN, "encode_measurement (skywalking_provider/server/conversion.py:120)"], "encoding of messages"),
        ([LOOP, RUN], "gRPC"),
        (["0x7f79 (grpc/_cython/cygrpc.cpython-313-x86_64-linux-gnu.so)", "eventfd_write (libc.so.6)"], "gRPC"),
        ([LOOP, "uv__io_poll (uvloop/loop.cpython-313-x86_64-linux-gnu.so)"], "event loop"),
        (["Thread.run (threading.py:982)", "_worker (concurrent/futures/thread.py:81)"], OTHER),
        (["0x7fed (?)"], OTHER),
    ],
)
def test_stack_belongs_to_the_stage_of_its_innermost_known_frame(frames: list[str], stage: str) -> None:
    assert classify_stack(frames) == stage


@pytest.mark.parametrize(
    "waiting",
    ["epoll_pwait (libc.so.6);0x1 (libc.so.6)", "clock_nanosleep (libc.so.6)", ";".join(["0x1 (libc.so.6)"] * 3)],
)
def test_samples_of_waiting_threads_are_not_counted(waiting: str) -> None:
    lines = [f"{LOOP};{RUN};{ENGINE} 3", f"{LOOP};{waiting} 40", f"{LOOP};{RUN};malloc (libc.so.6);0x1 (libc.so.6) 2"]
    assert count_stages(lines) == {"engine": 3, "gRPC": 2}


def test_cpu_time_of_the_stages_is_that_of_the_service() -> None:
    def row(in_flight: int, samples: dict[str, int], service: float, count: int) -> dict[str, Any]:
        used = {"service": service, "kernel": service / 10, "bridge": service / 2}
        return {
            "inFlight": in_flight,
            "samples": samples,
            "cpuSecondsByPart": used,
            "latencyMs": {"count": count},
        }

    rows = [row(30, {"engine": 1, "gRPC": 2}, 1.0, 1000), row(30, {"engine": 1}, 3.0, 1000)]
    assert compute_cpu_ms(rows, "service") == pytest.approx(2)
    assert compute_stage_times(rows) == {"engine": pytest.approx(1), "gRPC": pytest.approx(1)}
    [table] = report_tables({"stages": [*rows, row(1, {"gRPC": 1}, 0.5, 100)]})
    assert table.rows[0] == ("engine", "0.000", "1.000")
    assert table.rows[-2:] == [
        ("of it in the kernel", "0.500", "0.200"),
        ("the bridge, in its own process", "2.500", "1.000"),
    ]
