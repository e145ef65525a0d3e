"""TLS configuration: of the connections to OAP servers, and of the service's own listener."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from skywalking_provider.support.strict_model import StrictModel


def _identity(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+|[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?", value):
        raise ValueError(
            "is neither a URI nor a DNS name. Write one such as spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"
        )
    return value


class ServerTls(StrictModel):
    """Mutual TLS on `listen`. The files are read again when they change.

    Attributes:
        cert_file: Certificate of the service and the intermediate ones, PEM.
        key_file: Key of the certificate, PEM, not encrypted.
        client_ca_file: Authority that issues the client certificates.
        allowed_identities: URI or DNS names (SAN) of allowed clients, compared exactly. Other clients are rejected.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path
    allowed_identities: Annotated[tuple[Annotated[str, AfterValidator(_identity)], ...], Field(min_length=1)]


class ClientTls(StrictModel):
    """TLS to an OAP. The files are read again when they change.

    Attributes:
        ca_file: Authority that issued the OAP's certificate, instead of the system's authorities.
        cert_file: Client certificate, if the OAP requires one.
        key_file: Key of the client certificate, not encrypted.
        server_name: Name in the OAP's certificate, if it is not that of `url`.
        insecure_skip_verify: Whether any certificate is trusted. A man in the middle can then read the credentials and
            forge responses.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False

    @model_validator(mode="after")
    def _check_complete(self) -> "ClientTls":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("needs both certFile and keyFile. Write both, or remove both")
        if self.insecure_skip_verify and (self.ca_file or self.server_name):
            raise ValueError(
                "insecureSkipVerify verifies nothing, so caFile and serverName have no effect. Remove them"
            )
        return self
