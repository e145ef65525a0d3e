"""Several replicas behind one name, no state in any: the real bridge, Argo's own plugin client, one mock OAP."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.demo.argo_host import ArgoHost, run_argo_host
from tests.scale.dns_server import start_dns_server
from tests.scale.replica_processes import HOSTS, ROOT, Replica, start_replicas

DEADLINE_SECONDS, LATE_SECONDS = 3.0, 0.25
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


class Behind:
    """What is behind the name, and Argo before it."""

    def __init__(self, oap: MockOap, members: list[Replica], host: ArgoHost) -> None:
        self.oap = oap
        self.members = members
        self._host = host

    async def call(self, op: str, run: str, **more: Any) -> dict[str, Any]:
        """One call of Argo's, in time."""
        began = time.monotonic()
        about = {"metadata": {"name": run, "namespace": "bookinfo"}}
        answer = await self._host.request(op, run=about, metric=METRIC, **more)
        assert time.monotonic() - began <= DEADLINE_SECONDS + LATE_SECONDS
        measurement: dict[str, Any] = answer["measurement"]
        return measurement

    async def measure(self, run: str) -> dict[str, Any]:
        """A measurement from its beginning to its end."""
        return await self.finish(run, await self.call("run", run))

    async def finish(self, run: str, measurement: dict[str, Any]) -> dict[str, Any]:
        """Resume until it is finished, as often as a controller in a hurry would."""
        while measurement["phase"] == "Running":
            measurement = await self.call("resume", run, measurement=measurement)
        return measurement


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
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
        found = Behind(oap, members, host)
        while not all(
            member.logged_measurements() for member in members
        ):  # connections are made when they are first needed
            assert (await found.measure("warm-up"))["phase"] == "Successful"
        yield found


async def test_a_measurement_begun_on_a_replica_that_died_is_finished_on_another(behind: Behind) -> None:
    behind.oap.add_fault("status", status=503)
    runs = [f"run-{number}" for number in range(9)]
    begun = await asyncio.gather(*(behind.call("run", run) for run in runs))
    assert {m["phase"] for m in begun} == {"Running"}
    victim, *others = behind.members
    by_victim = {line["analysisrun"] for line in victim.logged_measurements()} & set(runs)
    assert by_victim

    victim.kill()
    behind.oap.clear_faults()
    finished = await asyncio.gather(*(behind.finish(run, m) for run, m in zip(runs, begun, strict=True)))

    assert {m["phase"] for m in finished} == {"Successful"}
    assert [m["startedAt"] for m in finished] == [m["startedAt"] for m in begun]
    by_others = {
        line["analysisrun"] for other in others for line in other.logged_measurements() if line["phase"] == "Successful"
    }
    assert by_victim <= by_others


async def test_a_replica_killed_under_load_costs_no_measurement(behind: Behind) -> None:
    behind.oap.add_fault("latency", seconds=0.2)
    victim, *others = behind.members
    numbers = iter(range(300))
    phases: list[str] = []

    async def measure_on() -> None:
        for number in numbers:
            phases.append((await behind.measure(f"run-{number}"))["phase"])
            if number == 100:
                victim.kill()

    await asyncio.gather(*(measure_on() for _ in range(20)))

    assert phases == ["Successful"] * 300
    shares = [len(other.logged_measurements()) for other in others]
    assert min(shares) > 0.4 * sum(shares)


async def test_a_replica_that_is_stopped_costs_time_and_no_measurement(behind: Behind) -> None:
    victim, *_ = behind.members
    victim.suspend()
    try:
        finished = await asyncio.gather(*(behind.measure(f"run-{number}") for number in range(20)))
    finally:
        victim.resume()

    assert {m["phase"] for m in finished} == {"Successful"}
