"""Responses on disk: a file for each key and chunk, so that a second call reads them again from there.

A file is written beside its place and then moved, so that a killed process leaves no partial file. Each file has a
digest of its content. A file that does not fit is ignored and replaced.
"""

import json
import os
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

_FORMAT: Final = "skywalking-provider backtest 1"
_FOLDER: Final = Path("skywalking-provider") / "backtest"


def default_folder() -> Path:
    """Return the folder of all backends: in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / _FOLDER


class ChunkCache:
    """Files of one backend.

    Args:
        folder: Folder of all backends; None keeps nothing.
        url: Address of the backend.

    Attributes:
        hits: Number of responses that were found.
        rejected: Number of files that were ignored because their content is not valid.
    """

    def __init__(self, folder: Path | None, url: str) -> None:
        self._folder = folder / _digest(url.encode())[:16] if folder else None
        self.hits = 0
        self.rejected = 0

    def load(self, key: str, part: str) -> Any:
        """Return the content of a key and a part of the history; None if there is no valid file."""
        if self._folder is None:
            return None
        try:
            head, _, body = self._path(key, part).read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            content = self._parse(head, body, key, part)
        except ValueError:
            self.rejected += 1
            return None
        self.hits += 1
        return content

    def save(self, key: str, part: str, content: Any) -> None:
        """Write the content of a key and a part of the history.

        Raises:
            OSError: The folder cannot be written.
        """
        if self._folder is None:
            return
        body = json.dumps({"key": key, "part": part, "content": content}, separators=(",", ":")).encode()
        path = self._path(key, part)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(f"{_FORMAT} {_digest(body)}\n".encode() + body)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _parse(self, head: bytes, body: bytes, key: str, part: str) -> Any:
        if head.decode("ascii", "replace") != f"{_FORMAT} {_digest(body)}":
            raise ValueError("the digest differs")
        stored = json.loads(body)
        if (stored["key"], stored["part"]) != (key, part):
            raise ValueError("the key differs")
        return stored["content"]

    def _path(self, key: str, part: str) -> Path:
        name = _digest(f"{part}\0{key}".encode("utf-8", "surrogatepass"))
        assert self._folder is not None  # noqa: S101 # both callers return before
        return self._folder / name[:2] / f"{name}.json"


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=20).hexdigest()
