"""Course of a talk: start the system, commit one version after the other, and observe each until its rollout ends."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import tzinfo
from pathlib import Path
from typing import Any

import aiohttp

from bench.talk.events import Part
from bench.talk.installation import APPLICATIONS, BOOKINFO, credentials, read_application, write_installation
from bench.talk.lab_parts import MANIFESTS, LabParts
from bench.talk.load import LoadGenerator
from bench.talk.manifests import count_weights, render_files
from bench.talk.memory import keep_peaks, read_memory
from bench.talk.mesh import NAMESPACE, infrastructure
from bench.talk.minutes import read_minutes
from bench.talk.outcome import VersionOutcome, find_problems
from bench.talk.pods import PodWatcher
from bench.talk.record import Record
from bench.talk.repository import Repository
from bench.talk.self_heal import is_restored
from bench.talk.system import System
from bench.talk.traffic_split import SplitCheck, WeightSegment, check_split, find_segments
from bench.talk.versions import FIRST, UPDATES, Version
from bench.talk.ways import PLANS

HOST = f"reviews.{NAMESPACE}.svc.cluster.local"
REPOSITORY = Path("/run/talk")
"""Folder of the repository. /run belongs to the node, and the reports contain no path of the machine."""
_POLL_SECONDS = 1.0
_MINUTES_SECONDS = 10.0
_ROLLOUT_SECONDS = 900.0
"""Limit for the rollout of one version. The pauses of a good one take 8 minutes."""
_START_SECONDS = 240
_AFTER_SECONDS = 10.0
"""Time after the end of a rollout in which its traffic is counted once more."""


class TalkError(Exception):
    """The talk could not go on."""


class Director:
    """Director of one way.

    Attributes:
        record: Record of all that was seen.
        version: Name of the version that was committed last.

    Args:
        record: Empty record.
        parts: Processes of the lab.
        load: Load generator.
        system: Client of the system's APIs.
        pods: Watcher of the pods.
        zone: Time zone of the OAP.
    """

    def __init__(
        self, record: Record, parts: LabParts, load: LoadGenerator, system: System, pods: PodWatcher, zone: tzinfo
    ) -> None:
        self.record, self.version = record, ""
        self._zone = zone
        self._parts, self._load, self._system, self._pods = parts, load, system, pods
        self._plan = PLANS[record.way]
        self._repository = Repository(REPOSITORY)

    async def run(self) -> None:
        """Run the talk; the record has its outcomes and problems."""
        async with self._background(self._watch_memory()):
            await self._parts.apply_crds()
            await self._parts.apply(infrastructure())
            await self._parts.start()
            await self._install()
            async with self._background(self._pods.run()), self._background(self._watch()):
                await self._deploy_first()
                async with self._background(self._load.run(self._pods.gateway_address, HOST)):
                    await self._wait_for(lambda: bool(self._load.calls and self._load.calls[-1].version), "traffic")
                    self.record.facts["minutes until the first call"] = f"{self._elapsed_minutes():.1f}"
                    async with self._background(self._watch_minutes()):
                        for version in UPDATES:
                            await self._update(version)
        self.record.facts["minutes"] = f"{self._elapsed_minutes():.1f}"

    async def _install(self) -> None:
        """Install the provider and Argo Rollouts by Argo CD, as examples/argo-cd does."""
        await self._repository.create()
        write_installation(self._repository.path, MANIFESTS / "argo-1.10-install.yaml")
        await self._repository.commit(".", {}, "charts and examples/argo-cd")
        await self._parts.apply(credentials())
        for name in APPLICATIONS:
            await self._parts.apply([read_application(name, self._repository.url)])
            # Healthy needs the pods, which start from the values that the first Application only describes.
            await self._parts.argocd("app", "wait", name, "--sync", "--health", "--timeout", str(_START_SECONDS))
            self.record.add_event(Part.ARGO_CD, f"application {name} is Synced and Healthy")

    async def _deploy_first(self) -> None:
        await self._commit(FIRST)
        if self._plan.application == BOOKINFO:
            await self._parts.apply([read_application(BOOKINFO, self._repository.url)])
        else:
            await self._parts.argocd(
                *("app", "create", self._plan.application, "--repo", self._repository.url, "--path", self._plan.folder),
                *("--dest-server", "https://kubernetes.default.svc", "--dest-namespace", NAMESPACE),
                *("--sync-policy", "automated"),
            )
        # An application without objects is Healthy, too.
        await self._wait_for(
            lambda: bool(self.record.latest.stable) and self.record.latest.health == "Healthy",
            "the first version to be Healthy",
        )
        await self._wait_for(lambda: bool(self._pods.gateway_address), "the gateway's pod")
        if self._plan.application == BOOKINFO:
            restored = await is_restored(self._parts, self._plan.rollout)
            self.record.add_event(Part.ARGO_CD, f"a change of the Rollout was {'' if restored else 'not '}restored")
            if not restored:
                self.record.problems.append("Argo CD did not restore a change of the Rollout within a minute")

    async def _commit(self, version: Version) -> str:
        commit = await self._repository.commit(
            self._plan.folder, render_files(self.record.way, version), f"reviews {version.name}"
        )
        self.version = version.name
        self.record.add_event(Part.GIT, f"commit {commit[:7]}: reviews {version.name} ({version.behaviour})")
        return commit

    async def _update(self, version: Version) -> None:
        """Commit a version and observe it until its rollout has ended."""
        known = {one.run for one in self.record.latest.measurements}
        committed_at, commit = time.time(), await self._commit(version)
        canary_text = ""
        deadline = time.monotonic() + _ROLLOUT_SECONDS
        while not self._has_ended(version):
            now = self.record.latest
            if now.measurements and {one.run for one in now.measurements} - known and now.weight and not canary_text:
                canary_text = await self._get_rollout()
            if time.monotonic() > deadline:
                self.record.add_event(Part.LAB, f"{version.name} did not end in {_ROLLOUT_SECONDS:.0f} s")
                break
            await asyncio.sleep(_POLL_SECONDS)
        with contextlib.suppress(TalkError):  # the problems of the outcome describe it
            await self._wait_for(lambda: self._is_reported(version), "Argo CD's health", 60)
        ended_at = time.time()
        await asyncio.sleep(_AFTER_SECONDS)
        last = self.record.latest
        splits = self._splits(version, committed_at, ended_at)
        final = WeightSegment(ended_at, time.time(), 100 if version.is_promoted else 0)
        outcome = VersionOutcome(
            version,
            commit,
            committed_at,
            ended_at,
            last,
            tuple(one for one in last.measurements if one.run not in known),
            splits,
            check_split(final, self._load.calls, version.name),
            await self._get_rollout(),
            canary_text,
            await self._parts.argocd("app", "get", self._plan.application),
        )
        self.record.outcomes.append(outcome)
        problems = find_problems(outcome, count_weights(self.record.way))
        self.record.problems += problems
        for problem in problems:
            self.record.add_event(Part.LAB, f"not as expected: {problem}")

    def _splits(self, version: Version, begins: float, ends: float) -> tuple[SplitCheck, ...]:
        observed = [(at, weight) for at, weight in self.record.weights if at >= begins]
        segments = [one for one in find_segments(observed, ends) if 0 < one.weight < 100]
        return tuple(check_split(one, self._load.calls, version.name) for one in segments)

    def _hash(self, version: Version) -> str:
        return next((key for key, name in self._pods.hashes.items() if name == version.name and key), "-")

    def _has_ended(self, version: Version) -> bool:
        now, canary = self.record.latest, self._hash(version)
        return now.is_promoted(canary) or now.is_rolled_back(canary)

    def _is_reported(self, version: Version) -> bool:
        """Return whether Argo CD reports the end of the rollout."""
        now = self.record.latest
        return (
            now.health == ("Healthy" if now.is_promoted(self._hash(version)) else "Degraded") and now.sync == "Synced"
        )

    async def _get_rollout(self) -> str:
        text = await self._parts.kubectl(
            "argo", "rollouts", "get", "rollout", self._plan.rollout, "-n", NAMESPACE, "--no-color"
        )
        return text.rstrip() + "\n"

    def _elapsed_minutes(self) -> float:
        return (time.time() - self.record.started_at) / 60

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                self.record.add_snapshot(await self._system.take_snapshot())
            await asyncio.sleep(_POLL_SECONDS)

    async def _watch_minutes(self) -> None:
        first = time.time()
        while True:
            await asyncio.sleep(_MINUTES_SECONDS)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                self.record.minutes = await read_minutes(
                    self._system, self._pods.hashes, first, time.time(), self._zone
                )

    async def _watch_memory(self) -> None:
        while True:
            keep_peaks(self.record.memory, read_memory())
            await asyncio.sleep(5)

    async def _wait_for(self, condition: Callable[[], bool], description: str, seconds: float = _START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TalkError(f"timeout after {seconds:.0f} s while waiting for {description}")
            await asyncio.sleep(0.2)

    @contextlib.asynccontextmanager
    async def _background(self, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Run work beside the body. An error of the work ends the body; the end of the body cancels the work."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            try:
                yield
            finally:
                task.cancel()
