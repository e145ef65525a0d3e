"""Mutual TLS for the service; changed certificate files are reloaded at the next connection."""

import ssl

import grpc
import structlog

from skywalking_provider.config import ConfigError
from skywalking_provider.config.tls import ServerTls
from skywalking_provider.support.tls_files import Version, describe_tls_error, file_version

CONNECTION_SECONDS = 300
"""Maximum age of a connection: afterwards the client must present a certificate that is valid then."""

_log = structlog.get_logger()


def build_server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Build the gRPC server credentials.

    Raises:
        ConfigError: A file cannot be used.
    """
    certificates = _ReloadingCertificates(tls)
    return grpc.dynamic_ssl_server_credentials(
        certificates.load_initial(),
        certificates.reload,  # type: ignore[arg-type] # None keeps the current configuration (grpc's documentation)
        require_client_authentication=True,
    )


class _ReloadingCertificates:
    """The last valid content of the certificate files."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        # Version of the files in use, and the last error that was logged for newer ones.
        self._loaded_version: Version | None = None
        self._reported_error = ""

    def load_initial(self) -> grpc.ServerCertificateConfiguration:
        try:
            self._loaded_version = self._file_version()
            return self._load()
        except (OSError, ValueError) as error:
            raise ConfigError(f"tls: {describe_tls_error(error)}") from error

    def reload(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the changed content; None if the files are unchanged or invalid. Called on a thread of gRPC."""
        try:
            version = self._file_version()
            if version == self._loaded_version:
                return None
            configuration = self._load()
            if self._file_version() != version:  # replaced during the read: the next connection loads them
                return None
        except (OSError, ValueError) as error:
            if (description := describe_tls_error(error)) != self._reported_error:
                _log.warning("certificate reload failed, previous certificates stay in use", error=description)
                self._reported_error = description
            return None
        self._loaded_version, self._reported_error = version, ""
        _log.info("certificates reloaded", file=str(self._tls.cert_file))
        return configuration

    def _file_version(self) -> Version:
        return file_version(self._tls.cert_file, self._tls.key_file, self._tls.client_ca_file)

    def _load(self) -> grpc.ServerCertificateConfiguration:
        check = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        check.load_cert_chain(
            self._tls.cert_file, self._tls.key_file, password=""
        )  # gRPC itself does not report a mismatch
        check.load_verify_locations(self._tls.client_ca_file)
        return grpc.ssl_server_certificate_configuration(
            [(self._tls.key_file.read_bytes(), self._tls.cert_file.read_bytes())], self._tls.client_ca_file.read_bytes()
        )
