"""Certificates: ours towards an OAP, and those by which we know who asks us."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from skywalking_provider.support.strict_model import StrictModel


def _identity(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+|[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?", value):
        raise ValueError(
            "is neither a URI, such as spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts, nor a DNS name"
        )
    return value


class ServerTls(StrictModel):
    """Mutual TLS on `listen`. The files are read again when they change.

    Attributes:
        cert_file: Our certificate and its intermediate ones, PEM.
        key_file: Its key, PEM, not encrypted.
        client_ca_file: Who issues the certificates of those who may ask.
        allowed_identities: URI or DNS names (SAN) of those who may ask, to the letter; others of that CA may not.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path
    allowed_identities: Annotated[tuple[Annotated[str, AfterValidator(_identity)], ...], Field(min_length=1)]


class ClientTls(StrictModel):
    """TLS to an OAP, where the system's certificate authorities are not enough. Files are read again when they change.

    Attributes:
        ca_file: Who issued the OAP's certificate, instead of the system's authorities.
        cert_file: Our certificate, where the OAP wants one.
        key_file: Its key, not encrypted.
        server_name: The name in the OAP's certificate, where it is not that of `url`.
        insecure_skip_verify: Believe any certificate. Whoever is between may read the credentials and invent answers.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False

    @model_validator(mode="after")
    def _check_complete(self) -> "ClientTls":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("write both certFile and keyFile, or none of them")
        if self.insecure_skip_verify and (self.ca_file or self.server_name):
            raise ValueError("insecureSkipVerify checks nothing, and needs neither caFile nor serverName")
        return self
