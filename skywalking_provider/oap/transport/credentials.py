"""Credentials of a backend as HTTP headers; files are read again when they change: rotation needs no restart."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from skywalking_provider.config import BackendConfig
from skywalking_provider.config.types import has_controls
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Secret
from skywalking_provider.support.redaction import Redactor


class SecretFile:
    """The content of a file, read again when its modification time changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # The state: what was read, and of which version of the file.
        self._version: tuple[int, int] | None = None
        self._secret = Secret("")

    @property
    def version(self) -> tuple[int, int]:
        """Another one for another content.

        Raises:
            BackendAway: The file cannot be read now.
        """
        self.read()
        return self._version or (0, 0)

    def read(self) -> Secret:
        """The content without surrounding blanks.

        Raises:
            BackendAway: The file cannot be read now, or holds what no header can carry.
        """
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_ino)
            if version != self._version:
                self._secret = Secret(self._path.read_text(encoding="utf-8").strip())
                self._version = version
        except OSError as error:
            raise BackendUnavailableError(
                f"the credentials file {self._path} cannot be read ({error.strerror})",
                "check its mount and its mode",
                kind=FailureKind.LOCAL_CONFIG,
            ) from error
        except UnicodeDecodeError as error:
            raise BackendUnavailableError(
                f"the credentials file {self._path} is not UTF-8", "write the text only", kind=FailureKind.LOCAL_CONFIG
            ) from error
        if has_controls(self._secret.reveal()):
            raise BackendUnavailableError(
                f"the credentials file {self._path} has more than one line",
                "write the text only",
                kind=FailureKind.LOCAL_CONFIG,
            )
        return self._secret


class Credentials:
    """The headers that a backend wants, and how to take them out of what it says."""

    def __init__(self, config: BackendConfig) -> None:
        self._config = config
        path = (config.basic.password_file if config.basic else None) or (
            config.bearer.token_file if config.bearer else None
        )
        self._file = SecretFile(path) if path else None
        self.redactor = Redactor(*(part for header in config.headers.values() for part in _secret_parts(header)))
        # The state: the headers, and of which version of the file they are.
        self._headers: Mapping[str, str] = {}
        self._headers_version: tuple[int, int] | None = None

    def version(self) -> str:
        """Another one whenever the credentials are others; no secret.

        Raises:
            BackendAway: They cannot be read now.
        """
        return "{}-{}".format(*self._file.version) if self._file else ""

    def headers(self) -> Mapping[str, str]:
        """The headers of one request; they hold secrets and go to the backend only.

        Raises:
            BackendAway: A file of secrets cannot be read now.
        """
        version = self._file.version if self._file else (0, 0)
        if version != self._headers_version:
            self._headers, self._headers_version = self._read(), version
        return self._headers

    def redact(self, text: str) -> str:
        """The text without what the files hold now and what was sent before: for words of unknown origin."""
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
    """Takes the credentials of all backends out of a text: for logs and for what commands print."""
    all_credentials = [Credentials(config) for config in configs]

    def masked(text: str) -> str:
        for credentials in all_credentials:
            text = credentials.redact(text)
        return text

    return masked


def _secret_parts(header: Secret) -> Iterator[Secret]:
    """A header as it is, and what of an Authorization header is repeated alone: token, user and password, password."""
    yield header
    scheme, _, rest = header.reveal().partition(" ")
    yield Secret(rest)
    if scheme.lower() == "basic":
        with suppress(ValueError):
            decoded = b64decode(rest, validate=True).decode()
            yield Secret(decoded)
            yield Secret(decoded.partition(":")[2])
