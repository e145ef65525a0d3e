"""Stateless replicas behind one DNS name, with the real bridge, Argo's own plugin client and one mock OAP."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.name_server import start_dns_server
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host
from tests.scale.replica_processes import HOSTS, ROOT, Replica, start_replicas

DEADLINE_SECONDS = 3.0
TOLERANCE_SECONDS = 10.0
"""Generous for a loaded machine: a call without a deadline would wait longer. The soak test checks 250 ms."""
BLOCK = {
    "sli": "success-rate",
    "service": "reviews.bookinfo",
    "instances": {"podTemplateHash": "6c85f7bf4"},
    "window": "3m",
}
METRIC = {
    "name": "success-rate",
    "successCondition": "result >= 0.99",
    "provider": {"plugin": {"skywalking/metrics": BLOCK}},
}


class Installation:
    """The replicas behind the name, their OAP, and Argo's plugin client."""

    def __init__(self, oap: MockOap, members: list[Replica], host: ArgoHost) -> None:
        self.oap = oap
        self.members = members
        self._host = host

    async def call(self, op: str, run: str, **more: Any) -> dict[str, Any]:
        """Make one call as Argo does and require that it ends by its deadline."""
        started_at = time.monotonic()
        metadata = {"metadata": {"name": run, "namespace": "bookinfo"}}
        response = await self._host.request(op, run=metadata, metric=METRIC, **more)
        assert time.monotonic() - started_at <= DEADLINE_SECONDS + TOLERANCE_SECONDS
        measurement: dict[str, Any] = response["measurement"]
        return measurement

    async def measure(self, run: str) -> dict[str, Any]:
        """Make a measurement from its start to its end."""
        return await self.finish(run, await self.call("run", run))

    async def finish(self, run: str, measurement: dict[str, Any]) -> dict[str, Any]:
        """Resume a measurement without a pause until it is finished."""
        while measurement["phase"] == "Running":
            measurement = await self.call("resume", run, measurement=measurement)
        return measurement


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    binaries = ROOT / ".cache/bin"
    async with (
        MockOap("healthy-canary") as oap,
        start_replicas(tmp_path, oap.address) as (port, members),
        start_dns_server(list(HOSTS)) as names,
        run_argo_host(
            binaries / "argo-host",
            binaries / "skywalking-bridge",
            tmp_path / "argo-host.log",
            f"--address=dns://{names.address}/provider.test:{port}",
            "--insecure",
            f"--run-timeout={DEADLINE_SECONDS:.0f}s",
        ) as host,
    ):
        installation = Installation(oap, members, host)
        while not all(member.logged_measurements() for member in members):  # the first call opens a connection
            assert (await installation.measure("warm-up"))["phase"] == "Successful"
        yield installation


async def wait_for_logs(replicas: Sequence[Replica], runs: set[str], phase: str) -> dict[Replica, set[str]]:
    """Return the runs that each replica has logged, once all are: a thread writes the log after the response."""
    async with asyncio.timeout(60):
        while True:
            logged = {
                replica: {one["analysisrun"] for one in replica.logged_measurements() if one["phase"] == phase} & runs
                for replica in replicas
            }
            if set().union(*logged.values()) == runs:
                return logged
            await asyncio.sleep(0.05)


async def test_measurement_on_killed_replica_is_finished_by_another(installation: Installation) -> None:
    installation.oap.add_fault("status", status=503)
    runs = [f"run-{number}" for number in range(9)]
    started = await asyncio.gather(*(installation.call("run", run) for run in runs))
    assert {m["phase"] for m in started} == {"Running"}
    runs_by_replica = await wait_for_logs(installation.members, set(runs), phase="Running")
    victim = max(installation.members, key=lambda replica: len(runs_by_replica[replica]))
    others = [replica for replica in installation.members if replica is not victim]
    by_victim = runs_by_replica[victim]

    victim.kill()
    installation.oap.clear_faults()
    finished = await asyncio.gather(*(installation.finish(run, m) for run, m in zip(runs, started, strict=True)))

    assert {m["phase"] for m in finished} == {"Successful"}
    assert [m["startedAt"] for m in finished] == [m["startedAt"] for m in started]
    await wait_for_logs(others, by_victim, phase="Successful")


async def test_replica_killed_under_load_loses_no_measurement(installation: Installation) -> None:
    installation.oap.add_fault("latency", seconds=0.2)
    victim, *others = installation.members
    numbers = iter(range(300))
    phases: list[str] = []

    async def measure_on() -> None:
        for number in numbers:
            phases.append((await installation.measure(f"run-{number}"))["phase"])
            if number == 100:
                victim.kill()

    await asyncio.gather(*(measure_on() for _ in range(20)))

    assert phases == ["Successful"] * 300
    shares = [len(other.logged_measurements()) for other in others]
    assert min(shares) > 0.4 * sum(shares)


async def test_replica_suspended_loses_no_measurement(installation: Installation) -> None:
    victim, *_ = installation.members
    victim.suspend()
    try:
        finished = await asyncio.gather(*(installation.measure(f"run-{number}") for number in range(20)))
    finally:
        victim.resume()

    assert {m["phase"] for m in finished} == {"Successful"}
