"""TLS context of one OAP: client certificate and trusted authorities, read again when the files change."""

import asyncio
import ssl
import threading
from pathlib import Path

import structlog

from skywalking_provider.config.tls import ClientTls
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.support.tls_files import Version, describe_tls_error, file_version

_log = structlog.get_logger()


class TlsContext:
    """TLS settings of the connections to one OAP.

    Args:
        name: Name of the backend.
        config: Its `tls`; None for the system's authorities.
    """

    def __init__(self, name: str, config: ClientTls | None) -> None:
        self._name = name
        self._config = config or ClientTls()
        self.server_name = self._config.server_name
        self._files: list[Path] = [
            file for file in (self._config.ca_file, self._config.cert_file, self._config.key_file) if file
        ]
        # State: the last valid context with the version of its files, and the last logged error of newer files.
        self._version: Version | None = None
        self._context: ssl.SSLContext | None = None
        self._reported_error = ""
        self._loading = threading.Lock()

    async def current(self) -> ssl.SSLContext:
        """Return the context for the next request, loaded in a thread: the system's authorities take 60 ms.

        The errors are those of `load_current`.
        """
        if self._context is not None and self._is_current():
            return self._context
        return await asyncio.to_thread(self.load_current)

    def load_current(self) -> ssl.SSLContext:
        """Return the context of the current files. It is the same while they are, so that connections are kept.

        Raises:
            BackendUnavailableError: The files cannot be used, and there is no previous context.
        """
        with self._loading:
            return self._load_if_changed()

    def _is_current(self) -> bool:
        try:
            return file_version(*self._files) == self._version
        except (OSError, ValueError):
            return False

    def _load_if_changed(self) -> ssl.SSLContext:
        try:
            version = file_version(*self._files)
            if self._context is None or version != self._version:
                self._context, self._version, self._reported_error = self._load(), version, ""
        except (OSError, ValueError) as error:
            problem = describe_tls_error(error)
            if self._context is None:
                raise BackendUnavailableError(
                    f"tls of backend {self._name} cannot be used: {problem}",
                    "Check its files and their mount",
                    kind=FailureKind.LOCAL_CONFIG,
                ) from error
            if problem != self._reported_error:
                _log.warning("new certificates rejected, previous ones in use", backend=self._name, reason=problem)
                self._reported_error = problem
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._config.ca_file)
        # Python 3.13 requires extensions that a private CA often omits, such as the authority key identifier. Go and
        # curl accept such certificates, and so does this provider on all versions of Python.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._config.insecure_skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self._config.cert_file:
            context.load_cert_chain(
                self._config.cert_file, self._config.key_file, password=""
            )  # no prompt on a terminal
        return context
