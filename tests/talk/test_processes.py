"""Processes of the talk that need no lab: the Git repository, the application of a pod, and the load generator."""

import asyncio
import subprocess
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from bench.talk.application import VERSION_HEADER, start_application
from bench.talk.envoy_bootstrap import APPLICATION_CLUSTER, sidecar_bootstrap
from bench.talk.load import LoadGenerator
from bench.talk.memory import keep_peaks
from bench.talk.repository import FOLDER, Repository
from bench.talk.versions import UPDATES
from tests.e2e.lab import find_free_ports


async def test_repository_has_a_commit_for_each_version(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    await repository.create()
    commits = [await repository.commit({"rollout.yaml": f"version: {name}\n"}, name) for name in ("v1", "v2")]

    command = ("git", "-C", tmp_path / "repository", "log", "--format=%H %s")
    log = await asyncio.to_thread(subprocess.check_output, command, text=True)
    assert log.splitlines() == [f"{commits[1]} v2", f"{commits[0]} v1"]
    assert (tmp_path / "repository" / FOLDER / "rollout.yaml").read_text() == "version: v2\n"


@pytest.mark.parametrize("version", UPDATES[:2], ids=lambda one: one.name)
async def test_application_returns_its_version_and_fails_as_its_behaviour_says(version) -> None:
    [port] = find_free_ports(1)
    runner = await start_application(version, port)
    try:
        async with aiohttp.ClientSession() as session:

            async def call() -> tuple[int, str]:
                async with session.get(f"http://127.0.0.1:{port}/reviews/1") as response:
                    return response.status, response.headers[VERSION_HEADER]

            seen = Counter(await asyncio.gather(*(call() for _ in range(300))))
    finally:
        await runner.cleanup()

    # A binomial share of 20 % of 300 is outside 20 to 110 once in 10 billion runs.
    failed = seen[500, version.name]
    assert failed == 0 if version.is_promoted else 20 < failed < 110
    assert failed + seen[200, version.name] == 300


async def test_load_counts_a_call_without_response_as_one_without_version() -> None:
    load = LoadGenerator(rate=200)
    task = asyncio.create_task(load.run("127.0.0.2", "reviews"))  # no listener at this address
    while len(load.calls) < 5:  # noqa: ASYNC110 - the generator has no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {(call.version, call.status) for call in load.calls} == {("", 0)}


def test_sidecar_leads_to_the_port_of_its_own_application() -> None:
    bootstrap = sidecar_bootstrap("reviews-1", "10.244.0.7", "bookinfo", {"app": "reviews"}, 20007)

    assert f'"name": "{APPLICATION_CLUSTER}"' in bootstrap
    assert '"port_value": 20007' in bootstrap
    assert "sidecar~10.244.0.7~reviews-1.bookinfo~bookinfo.svc.cluster.local" in bootstrap


def test_peaks_keep_the_largest_memory_of_each_part_and_of_the_sum() -> None:
    peaks: dict[str, float] = {}
    for now in ({"OAP": 500.0, "etcd": 10.0}, {"OAP": 400.0, "etcd": 200.0}):
        keep_peaks(peaks, now)

    assert peaks == {"OAP": 500.0, "etcd": 200.0, "sum": 600.0}
