"""Pods of the namespace: the gateway's address, and the version of each pod-template-hash."""

import asyncio
import contextlib
from collections.abc import Iterable

import aiohttp

from bench.talk.snapshot import Object
from bench.talk.system import System
from bench.talk.versions import find_version

_POLL_SECONDS = 0.5


class PodWatcher:
    """Watcher of the namespace's pods.

    Attributes:
        gateway_address: Address of the gateway's pod; empty until the pod is ready.
        hashes: Version of each pod-template-hash.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.gateway_address = ""
        self.hashes: dict[str, str] = {}

    async def run(self) -> None:
        """Read the pods until this task is cancelled."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                self.update(await self._system.list_pods())
            await asyncio.sleep(_POLL_SECONDS)

    def update(self, pods: Iterable[Object]) -> None:
        """Take the address and the hashes from the pods."""
        for pod in pods:
            labels = pod["metadata"].get("labels", {})
            if pod_hash := labels.get("rollouts-pod-template-hash"):
                self.hashes[pod_hash] = find_version(pod["spec"]["containers"][0]["image"]).name
            elif labels.get("istio") == "ingressgateway" and _is_ready(pod):
                self.gateway_address = pod["status"]["podIP"]


def _is_ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
