"""Bridge downloads over HTTP, for controllers that download their plugins.

An Argo Rollouts controller downloads its plugins at every start and exits if a download fails. The folder therefore
holds every bridge version that a running installation still names.
"""

import asyncio
import hashlib
from pathlib import Path

from aiohttp import web

BINARY = "skywalking-bridge"
_VERSION = r"{version:[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}}"
_PLATFORM = r"{platform:[a-z0-9]{1,20}-[a-z0-9_]{1,20}}"


class BridgeDownloads:
    """Download routes for the bridge binaries of a folder, stored as <version>/<os>-<arch>/skywalking-bridge.

    Args:
        folder: Folder with the binaries.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # SHA-256 by path, with the size and modification time that it was computed for.
        self._digests: dict[Path, tuple[tuple[int, int], str]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes: /bridge/<version>/<os>-<arch> and its /sha256 (64 hexadecimal digits)."""
        return [
            web.get(f"/bridge/{_VERSION}/{_PLATFORM}", self._binary),
            web.get(f"/bridge/{_VERSION}/{_PLATFORM}/sha256", self._sha256),
        ]

    async def _binary(self, request: web.Request) -> web.StreamResponse:
        path, digest = await asyncio.to_thread(self._find, **request.match_info)
        return web.FileResponse(
            path,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f'attachment; filename="{BINARY}"',
                "X-Checksum-Sha256": digest,
            },
        )

    async def _sha256(self, request: web.Request) -> web.StreamResponse:
        _, digest = await asyncio.to_thread(self._find, **request.match_info)
        return web.Response(text=f"{digest}\n")

    def _find(self, version: str, platform: str) -> tuple[Path, str]:
        folder = self._folder.resolve()
        path = (folder / version / platform / BINARY).resolve()
        if not (path.is_relative_to(folder) and path.is_file()):
            available = ", ".join(self._list_available(folder)) or "none"
            raise web.HTTPNotFound(
                text=f"bridge {version} for {platform} not found in http.bridges. Available: {available}.\n"
            )
        return path, self._digest(path)

    def _digest(self, path: Path) -> str:
        status = path.stat()
        content = (status.st_size, status.st_mtime_ns)
        known, digest = self._digests.get(path, (None, ""))
        if known != content:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[path] = (content, digest)
        return digest

    def _list_available(self, folder: Path) -> list[str]:
        return sorted("/".join(path.relative_to(folder).parts[:2]) for path in folder.glob(f"*/*/{BINARY}"))
