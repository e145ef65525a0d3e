"""Git repository that Argo CD reads: one commit for the installation, and one for each version."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

_AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "talk"), ("EMAIL", "talk@lab.invalid"))
}


class Repository:
    """Git repository in a folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    async def create(self) -> None:
        """Create the repository, which is empty."""
        self.path.mkdir(parents=True)
        await self._git("init", "--quiet", "--initial-branch", "main")

    async def commit(self, folder: str, files: Mapping[str, str], message: str) -> str:
        """Write files to a folder of the repository, commit all changes and return the commit's id."""
        target = self.path / folder
        target.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (target / name).write_text(text)
        await self._git("add", "--all")
        await self._git("commit", "--quiet", "--message", message)
        return (await self._git("rev-parse", "HEAD")).strip()

    async def _git(self, *arguments: str) -> str:
        # Without the settings of the user, such as a signature for each commit.
        environment = os.environ | _AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        process = await asyncio.create_subprocess_exec(
            "git", "-C", self.path, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"git {arguments[0]} failed with exit code {process.returncode}. Its error is above.")
        return output.decode()
