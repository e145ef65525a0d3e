"""Parts of the talk that need no lab: the Git repository, the pods, the mesh's objects, and the load generator."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.talk.installation import APPLICATIONS, BOOKINFO, read_application, write_installation
from bench.talk.load import VERSION_HEADER, LoadGenerator
from bench.talk.manifests import ROOT
from bench.talk.memory import keep_peaks
from bench.talk.mesh import GATEWAY_PORT, NODE_ADDRESS, envoy_bootstrap, envoy_container, infrastructure
from bench.talk.pods import PodWatcher
from bench.talk.repository import Repository
from bench.talk.versions import UPDATES


async def test_repository_has_a_commit_for_each_version(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    await repository.create()
    texts = {name: {"rollout.yaml": f"version: {name}\n"} for name in ("v1", "v2")}
    commits = [await repository.commit("argo/rollout", files, name) for name, files in texts.items()]

    command = ("git", "-C", tmp_path / "repository", "log", "--format=%H %s")
    log = await asyncio.to_thread(subprocess.check_output, command, text=True)
    assert log.splitlines() == [f"{commits[1]} v2", f"{commits[0]} v1"]
    assert (tmp_path / "repository/argo/rollout/rollout.yaml").read_text() == "version: v2\n"


def pod(labels: dict[str, str], image: str = "envoy", ready: str = "True") -> dict[str, Any]:
    status = {"podIP": "10.244.0.9", "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"image": image}]}, "status": status}


def test_pods_give_the_version_of_a_hash_and_the_address_of_a_ready_gateway() -> None:
    watcher = PodWatcher(system=None)  # type: ignore[arg-type]
    gateway = {"istio": "ingressgateway"}
    watcher.update([pod({"rollouts-pod-template-hash": "7d9"}, UPDATES[1].image), pod(gateway, ready="False")])
    assert (watcher.hashes, watcher.gateway_address) == ({"7d9": "v3-bad"}, "")

    watcher.update([pod(gateway)])
    assert watcher.gateway_address == "10.244.0.9"


def test_envoy_has_the_node_id_of_its_pod_and_the_bootstrap_of_its_kind() -> None:
    container = envoy_container("sidecar", "reviews", 9080)
    [config] = [one for one in infrastructure() if one["kind"] == "ConfigMap"]

    assert "sidecar~$(POD_IP)~$(POD_NAME).bookinfo~bookinfo.svc.cluster.local" in container["args"]
    assert "/etc/envoy/sidecar.json" in container["args"]
    assert {"sidecar.json", "router.json"} == set(config["data"])
    clusters = json.loads(envoy_bootstrap("sidecar"))["static_resources"]["clusters"]
    assert [one["name"] for one in clusters] == ["xds-grpc", "envoy_accesslog_service"]


def test_address_of_the_examples_leads_to_the_node() -> None:
    objects = infrastructure()
    values = yaml.safe_load((ROOT / "examples/argo-cd/values.yaml").read_text())
    [addresses] = [one for one in objects if one["kind"] == "EndpointSlice"]

    assert values["backends"]["prod"]["url"] == "http://oap.istio-system:12800"
    assert (addresses["metadata"]["name"], addresses["metadata"]["namespace"]) == ("oap", "istio-system")
    assert addresses["endpoints"] == [{"addresses": [NODE_ADDRESS]}]


def test_applications_of_the_examples_refer_to_folders_of_the_repository(tmp_path: Path) -> None:
    manifests = tmp_path / "install.yaml"
    container = {"image": "argo", "volumeMounts": []}
    deployment = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}}
    manifests.write_text(
        yaml.safe_dump_all([deployment, {"kind": "ClusterRole"}, {"kind": "CustomResourceDefinition"}])
    )
    write_installation(tmp_path / "repository", manifests)

    for name in APPLICATIONS:
        spec = read_application(name, "file:///repository")["spec"]
        for source in spec.get("sources") or [spec["source"]]:
            assert source["repoURL"] == "file:///repository"
            folder = tmp_path / "repository" / source.get("path", ".")
            assert folder.is_dir()
            for file in source.get("helm", {}).get("valueFiles", ()):
                assert (folder / file.replace("$values", str(tmp_path / "repository"))).is_file()
    others = (tmp_path / "repository/charts/argo-rollouts/others.yaml").read_text()
    assert [one["kind"] for one in yaml.safe_load_all(others)] == ["ClusterRole"]
    assert read_application(BOOKINFO, "file:///repository")["spec"]["source"]["path"] == "examples/bookinfo"


async def test_load_counts_a_call_without_response_as_one_without_version() -> None:
    load = LoadGenerator(rate=200)
    task = asyncio.create_task(load.run("127.0.0.2", "reviews"))  # no listener at this address
    while len(load.calls) < 5:  # noqa: ASYNC110 - the generator has no event
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {(call.version, call.status) for call in load.calls} == {("", 0)}


async def test_requests_that_wait_for_a_slow_version_do_not_delay_others() -> None:
    many, waiting = 150, 0  # a client of aiohttp has 100 connections by default
    all_wait = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal waiting
        waiting += 1
        if waiting == many:
            all_wait.set()
        try:
            await all_wait.wait()
        finally:  # also if the client gives up
            waiting -= 1
        return web.Response(headers={VERSION_HEADER: "v4-slow"})

    server = web.Application()
    server.router.add_get("/reviews/1", answer)
    async with TestServer(server, host="127.0.0.3", port=GATEWAY_PORT, handler_cancellation=True):
        task = asyncio.create_task(LoadGenerator(rate=1000).run("127.0.0.3", "reviews"))
        await asyncio.wait_for(all_wait.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_peaks_keep_the_largest_memory_of_each_part_and_of_the_sum() -> None:
    peaks: dict[str, float] = {}
    for now in ({"OAP": 500.0, "etcd": 10.0}, {"OAP": 400.0, "etcd": 200.0}):
        keep_peaks(peaks, now)

    assert peaks == {"OAP": 500.0, "etcd": 200.0, "sum": 600.0}
