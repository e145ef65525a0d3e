"""Git repository that Argo CD reads: one commit for each version."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = "argo/rollout"
"""Folder of the manifests, as in the talk's command."""
_AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "talk"), ("EMAIL", "talk@lab.invalid"))
}


class Repository:
    """Git repository in a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str:
        return f"file://{self._path}"

    async def create(self) -> None:
        """Create the repository, which is empty."""
        self._path.mkdir(parents=True)
        await self._git("init", "--quiet", "--initial-branch", "main")

    async def commit(self, files: Mapping[str, str], message: str) -> str:
        """Commit the files of the folder and return the commit's id."""
        folder = self._path / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        await self._git("add", "--all")
        await self._git("commit", "--quiet", "--message", message)
        return (await self._git("rev-parse", "HEAD")).strip()

    async def _git(self, *arguments: str) -> str:
        # Without the settings of the user, such as a signature for each commit.
        environment = os.environ | _AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        process = await asyncio.create_subprocess_exec(
            "git", "-C", self._path, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"git {arguments[0]} failed with exit code {process.returncode}. Its error is above.")
        return output.decode()
