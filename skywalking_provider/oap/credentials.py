"""Credentials of a backend as HTTP headers; files are read again when they change: rotation needs no restart."""

from pathlib import Path

from aiohttp import BasicAuth

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendAway
from skywalking_provider.model import Secret


class SecretFile:
    """The content of a file, read again when its modification time changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # The state: what was read, and of which version of the file.
        self._version: tuple[int, int] | None = None
        self._secret = Secret("")

    def read(self) -> Secret:
        """The content without surrounding blanks.

        Raises:
            BackendAway: The file cannot be read now.
        """
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_ino)
            if version != self._version:
                self._secret = Secret(self._path.read_text(encoding="utf-8").strip())
                self._version = version
        except (OSError, UnicodeDecodeError) as error:
            raise BackendAway(
                f"the credentials file {self._path} cannot be read", "check its mount and its mode"
            ) from error
        return self._secret


class Credentials:
    """The headers that a backend wants."""

    def __init__(self, config: BackendConfig) -> None:
        self._config = config
        path = (config.basic.password_file if config.basic else None) or (
            config.bearer.token_file if config.bearer else None
        )
        self._file = SecretFile(path) if path else None

    def headers(self) -> dict[str, str]:
        """The headers of one request; they hold secrets and go to the backend only."""
        headers = {name: secret.reveal() for name, secret in self._config.headers.items()}
        if basic := self._config.basic:
            headers["Authorization"] = BasicAuth(
                basic.username, self._secret(basic.password), encoding="utf-8"
            ).encode()
        elif bearer := self._config.bearer:
            headers["Authorization"] = f"Bearer {self._secret(bearer.token)}"
        return headers

    def _secret(self, given: Secret | None) -> str:
        if given is not None:
            return given.reveal()
        return self._file.read().reveal() if self._file else ""
