"""Credentials of a backend as HTTP headers. Files are read again when they change: rotation needs no restart."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from skywalking_provider.config import BackendConfig
from skywalking_provider.config.types import has_controls
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Secret
from skywalking_provider.support.redaction import Redactor

_AUTHORIZATION_HEADERS: Final = ("authorization", "proxy-authorization")
_NAME: Final = re.compile("[a-z]+(?:[-_.](?:[a-z]+|[0-9]{1,3}))*")
"""A header's value that is a name, such as that of a tenant or `eu-west-1`. Names of services may contain it."""


class SecretFile:
    """Content of a file, read again when its modification time changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # State: the content and the version of the file.
        self._version: tuple[int, int] | None = None
        self._secret = Secret("")

    @property
    def version(self) -> tuple[int, int]:
        """Version that changes with the content.

        Raises:
            BackendUnavailableError: The file cannot be read.
        """
        self.read()
        return self._version or (0, 0)

    def read(self) -> Secret:
        """Return the content without surrounding whitespace.

        Raises:
            BackendUnavailableError: The file cannot be read, or has a character that no HTTP header can contain.
        """
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_ino)
            if version != self._version:
                self._secret = Secret(self._path.read_text(encoding="utf-8").strip())
                self._version = version
        except OSError as error:
            raise BackendUnavailableError(
                f"credentials file {self._path} cannot be read: {error.strerror}",
                "Check its mount and its mode",
                kind=FailureKind.LOCAL_CONFIG,
            ) from error
        except UnicodeDecodeError as error:
            raise BackendUnavailableError(
                f"credentials file {self._path} is not UTF-8",
                "Write only the credentials into it",
                kind=FailureKind.LOCAL_CONFIG,
            ) from error
        if has_controls(self._secret.reveal()):
            raise BackendUnavailableError(
                f"credentials file {self._path} has more than one line",
                "Write only the credentials into it",
                kind=FailureKind.LOCAL_CONFIG,
            )
        return self._secret


class Credentials:
    """Authentication headers of a backend, and their redaction from its responses."""

    def __init__(self, config: BackendConfig) -> None:
        self._config = config
        path = (config.basic.password_file if config.basic else None) or (
            config.bearer.token_file if config.bearer else None
        )
        self._file = SecretFile(path) if path else None
        self.redactor = Redactor(
            *(part for header in config.headers.values() for part in _secret_parts(header)),
            names=frozenset(
                value
                for name, value in config.headers.items()
                if name.lower() not in _AUTHORIZATION_HEADERS and _NAME.fullmatch(value.reveal())
            ),
        )
        # State: the headers and the version of the file that they were made of.
        self._headers: Mapping[str, str] = {}
        self._headers_version: tuple[int, int] | None = None

    def version(self) -> str:
        """Return a version that changes with the credentials; it is not a secret.

        Raises:
            BackendUnavailableError: The credentials file cannot be read.
        """
        return "{}-{}".format(*self._file.version) if self._file else ""

    def headers(self) -> Mapping[str, str]:
        """Return the headers of one request. They have secrets and must only be sent to the backend.

        Raises:
            BackendUnavailableError: The credentials file cannot be read.
        """
        version = self._file.version if self._file else (0, 0)
        if version != self._headers_version:
            self._headers, self._headers_version = self._read(), version
        return self._headers

    def redact(self, text: str) -> str:
        """Return a text without the current and the previous credentials, for texts of unknown origin."""
        with suppress(BackendUnavailableError):
            self.headers()
        return self.redactor(text)

    def _read(self) -> dict[str, str]:
        headers = {name: secret.reveal() for name, secret in self._config.headers.items()}
        if basic := self._config.basic:
            password = self._resolve_secret(basic.password)
            encoded = b64encode(f"{basic.username}:{password.reveal()}".encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
            self.redactor.add_secrets(password, Secret(encoded))
        elif bearer := self._config.bearer:
            token = self._resolve_secret(bearer.token)
            headers["Authorization"] = f"Bearer {token.reveal()}"
            self.redactor.add_secrets(token)
        return headers

    def _resolve_secret(self, configured: Secret | None) -> Secret:
        if configured is not None:
            return configured
        return self._file.read() if self._file else Secret("")


def redactor_for(configs: Iterable[BackendConfig]) -> Callable[[str], str]:
    """Return a function that redacts the credentials of all backends, for logs and the output of commands."""
    all_credentials = [Credentials(config) for config in configs]

    def redact(text: str) -> str:
        for credentials in all_credentials:
            text = credentials.redact(text)
        return text

    return redact


def _secret_parts(header: Secret) -> Iterator[Secret]:
    """Yield a header and the parts of an Authorization header that may be repeated alone."""
    yield header
    scheme, _, rest = header.reveal().partition(" ")
    yield Secret(rest)
    if scheme.lower() == "basic":
        with suppress(ValueError):
            decoded = b64decode(rest, validate=True).decode()
            yield Secret(decoded)
            yield Secret(decoded.partition(":")[2])
