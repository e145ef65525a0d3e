"""Processes of the pods: kwok gives each pod an address, and this runner starts its application and its Envoy there."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.talk.application import start_application
from bench.talk.envoy_bootstrap import gateway_bootstrap, sidecar_bootstrap
from bench.talk.manifests import NAMESPACE
from bench.talk.system import System
from bench.talk.versions import find_version

_FIRST_APPLICATION_PORT = 20000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _RunningPod:
    envoy: asyncio.subprocess.Process
    application: web.AppRunner | None

    async def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.envoy.terminate()
        await self.envoy.wait()
        if self.application:
            await self.application.cleanup()


class PodRunner:
    """Runner of the processes of the namespace's pods.

    Attributes:
        gateway_address: Address of the gateway's pod; empty until its Envoy was started.
        hashes: Version of each pod-template-hash.
    """

    def __init__(self, system: System, envoy: Path, folder: Path) -> None:
        self._system, self._envoy, self._folder = system, envoy, folder
        self._running: dict[str, _RunningPod] = {}
        self.gateway_address = ""
        self.hashes: dict[str, str] = {}

    async def run(self) -> None:
        """Start and end processes as pods come and go, until this task is cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await self._update(await self._system.list_pods())
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            for pod in self._running.values():
                await pod.stop()

    async def _update(self, pods: list[Any]) -> None:
        current = {
            pod["metadata"]["name"]: pod
            for pod in pods
            if pod["status"].get("podIP") and not pod["metadata"].get("deletionTimestamp")
        }
        for name in self._running.keys() - current.keys():
            await self._running.pop(name).stop()
        for name in current.keys() - self._running.keys():
            self._running[name] = await self._start(name, current[name])

    async def _start(self, name: str, pod: Any) -> _RunningPod:
        address, labels = pod["status"]["podIP"], pod["metadata"].get("labels", {})
        if labels.get("istio") == "ingressgateway":
            envoy = await self._start_envoy(name, gateway_bootstrap(name, address, NAMESPACE))
            self.gateway_address = address
            return _RunningPod(envoy, None)
        version = find_version(pod["spec"]["containers"][0]["image"])
        self.hashes[labels.get("rollouts-pod-template-hash", "")] = version.name
        port = _FIRST_APPLICATION_PORT + int(address.rpartition(".")[2])
        application = await start_application(version, port)
        return _RunningPod(
            await self._start_envoy(name, sidecar_bootstrap(name, address, NAMESPACE, labels, port)), application
        )

    async def _start_envoy(self, name: str, bootstrap: str) -> asyncio.subprocess.Process:
        path = self._folder / f"{name}.json"
        path.write_text(bootstrap)
        flags = ("--concurrency", "1", "--log-level", "warning", "--disable-hot-restart")
        with (self._folder / f"{name}.log").open("wb") as log:
            return await asyncio.create_subprocess_exec(
                self._envoy, "--config-path", path, *flags, stdout=log, stderr=log
            )
