"""Parts of the lab in the node that are processes: started by the scripts of lab/, and stopped with the node."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from bench.talk.manifests import ROOT
from bench.talk.mesh import Object

HOME = Path(os.environ.get("LAB_HOME") or ROOT / ".cache/lab")
PROGRAMS = HOME / "bin"
KUBERNETES = HOME / f"kubernetes-{os.environ.get('LAB_KUBERNETES', '1.34')}"
MANIFESTS = HOME / "manifests"
_CRDS = ("argo-1.10", "istio", "others")
_PARTS = ("oap-mesh", "istiod", "argocd")
"""Processes beside the pods. They start at the same time, because none needs another one."""


class LabPartError(Exception):
    """A part of the lab, or a program of it, failed."""


class LabParts:
    """Parts of the lab in the node's folder."""

    def __init__(self, folder: Path, environment: dict[str, str], report: Callable[[str], None]) -> None:
        self.folder, self._report = folder, report
        # Pods reach OAP on the node's address, and nothing else reaches the node.
        settings = {"LAB_DIR": str(folder), "LAB_HOME": str(HOME), "OAP_HOST": "0.0.0.0"}  # noqa: S104
        self._environment = os.environ | settings | environment

    async def apply_crds(self) -> None:
        """Apply the CRDs of Argo Rollouts, of Istio, and of what the chart can contain."""
        for name in _CRDS:
            await self.kubectl("apply", "--server-side", "-f", str(MANIFESTS / f"{name}-crds.yaml"))
        await self.kubectl("wait", "--for", "condition=Established", "--timeout", "60s", "crd", "--all")

    async def start(self) -> None:
        """Start all parts; each is ready when its script has ended."""
        async with asyncio.TaskGroup() as tasks:
            for part in _PARTS:
                tasks.create_task(self._start_part(part))

    async def _start_part(self, part: str) -> None:
        await self.run(ROOT / "lab" / f"{part}.sh")
        self._report(f"{part} is ready")

    async def apply(self, objects: Iterable[Object]) -> None:
        """Apply objects that are not in Git."""
        await self.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        # The flag is the last one, because none may stand before the name of a plugin.
        flag = ("--kubeconfig", str(self.folder / "kubeconfig"))
        return await self.run(KUBERNETES / "kubectl", *arguments, *flag, stdin=stdin)

    async def argocd(self, *arguments: str) -> str:
        return await self.run(PROGRAMS / "argocd", *arguments, "--server", "127.0.0.1:8443", "--plaintext")

    async def run(self, program: Path, *arguments: str, stdin: str | None = None) -> str:
        """Run a program and return its output; raise an error with the output if it failed."""
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            env=self._environment | {"PATH": path, "HOME": str(self.folder)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate((stdin or "").encode())
        if process.returncode:
            raise LabPartError(f"{program.name} {' '.join(arguments)} failed:\n{output.decode(errors='replace')}")
        return output.decode(errors="replace")
