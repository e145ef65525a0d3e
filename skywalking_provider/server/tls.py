"""Mutual TLS for the service: the certificates as files, read again for every new connection if they changed."""

import ssl

import grpc
import structlog

from skywalking_provider.config import ConfigError
from skywalking_provider.config.tls import ServerTls
from skywalking_provider.support.tls_files import Version, describe_tls_error, file_version

CONNECTION_SECONDS = 300
"""How long a connection lives: after that, a client must show a certificate that is good now."""

_log = structlog.get_logger()


def build_server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """What gRPC serves with.

    Raises:
        ConfigError: The files cannot be used.
    """
    certificates = _ReloadingCertificates(tls)
    return grpc.dynamic_ssl_server_credentials(
        certificates.load_initial(),
        certificates.reload,  # type: ignore[arg-type] # None is for 'as before' (grpc's own documentation)
        require_client_authentication=True,
    )


class _ReloadingCertificates:
    """The files' last good content."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        # The state: the version of the files in use, and the trouble with newer ones that was told last.
        self._loaded_version: Version | None = None
        self._reported_error = ""

    def load_initial(self) -> grpc.ServerCertificateConfiguration:
        try:
            self._loaded_version = self._file_version()
            return self._load()
        except (OSError, ValueError) as error:
            raise ConfigError(f"tls: {describe_tls_error(error)}") from error

    def reload(self) -> grpc.ServerCertificateConfiguration | None:
        """The new content; None while nothing has changed, or what is new cannot be used. gRPC's own thread asks."""
        try:
            now = self._file_version()
            if now == self._loaded_version:
                return None
            renewed = self._load()
            if self._file_version() != now:  # replaced while we read: the next connection looks again
                return None
        except (OSError, ValueError) as error:
            if (told := describe_tls_error(error)) != self._reported_error:
                _log.warning("new certificates cannot be used, the ones before still are", reason=told)
                self._reported_error = told
            return None
        self._loaded_version, self._reported_error = now, ""
        _log.info("certificates renewed", file=str(self._tls.cert_file))
        return renewed

    def _file_version(self) -> Version:
        return file_version(self._tls.cert_file, self._tls.key_file, self._tls.client_ca_file)

    def _load(self) -> grpc.ServerCertificateConfiguration:
        check = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        check.load_cert_chain(self._tls.cert_file, self._tls.key_file, password="")  # gRPC itself would say nothing
        check.load_verify_locations(self._tls.client_ca_file)
        return grpc.ssl_server_certificate_configuration(
            [(self._tls.key_file.read_bytes(), self._tls.cert_file.read_bytes())], self._tls.client_ca_file.read_bytes()
        )
