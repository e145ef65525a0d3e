"""Parts of the lab for the talk: started by the scripts of lab/ in their order, and stopped with the talk."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from bench.talk.manifests import ROOT

_GROUPS = (
    ("etcd",),
    ("apiserver",),
    ("controller-manager", "scheduler", "kwok", "oap-mesh", "sidecar", "controller"),
    ("istiod", "argocd"),
)
"""Parts of a group start at the same time, after those of the groups before."""


class LabPartError(Exception):
    """A part of the lab, or a program of it, failed."""


class LabParts:
    """Parts of the lab in their own folder."""

    def __init__(self, folder: Path, environment: dict[str, str], report: Callable[[str], None]) -> None:
        self.folder, self._report = folder, report
        self._home = Path(os.environ.get("LAB_HOME") or ROOT / ".cache/lab")
        self._environment = os.environ | {"LAB_DIR": str(folder), "LAB_HOME": str(self._home)} | environment

    @property
    def programs(self) -> Path:
        """Return the folder of the lab's programs."""
        return self._home / "bin"

    async def start(self) -> None:
        """Start all parts; each is ready when its script has ended."""
        for group in _GROUPS:
            async with asyncio.TaskGroup() as tasks:
                for part in group:
                    tasks.create_task(self._start_part(part))

    async def _start_part(self, part: str) -> None:
        await self.run(ROOT / "lab" / f"{part}.sh")
        self._report(f"{part} is ready")

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        # The flag is the last one, because none may stand before the name of a plugin.
        flag = ("--kubeconfig", str(self.folder / "kubeconfig"))
        return await self.run(self.programs / "kubectl", *arguments, *flag, stdin=stdin)

    async def argocd(self, *arguments: str) -> str:
        return await self.run(self.programs / "argocd", *arguments, "--server", "127.0.0.1:8443", "--plaintext")

    async def run(self, program: Path, *arguments: str, stdin: str | None = None) -> str:
        """Run a program and return its output; raise an error with the output if it failed."""
        path = f"{self.programs}:{os.environ['PATH']}"
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
