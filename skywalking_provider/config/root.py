"""The whole configuration: where to serve, how to log, which OAPs."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, model_validator

from skywalking_provider.config.backend import BackendConfig
from skywalking_provider.config.listeners import HttpConfig, PageConfig
from skywalking_provider.config.tls import ServerTls
from skywalking_provider.config.types import Mode, Seconds
from skywalking_provider.support.strict_model import StrictModel

OAP_ADDRESS = "SW_OAP_ADDRESS"
"""SkyWalking's own variable: the url of a backend named `default`, where the file names none."""


class LogConfig(StrictModel):
    """How the service logs, always to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Config(StrictModel):
    """The whole configuration.

    Attributes:
        socket: Unix socket to serve on.
        socket_mode: Its mode; the group is for a controller of another user.
        listen: host:port to serve on instead.
        tls: Whom `listen` serves, by certificates; beyond loopback it must be there, or `insecure`.
        insecure: Serve on `listen` beyond loopback without authentication.
        drain: How long calls in flight may go on after the first SIGTERM.
        http: Probes and metrics over HTTP, where they are wanted.
        page: The page with the last measurements, where it is wanted.
        backends: The OAPs by name.
    """

    api_version: Literal["v1"] = "v1"
    socket: Path | None = None
    socket_mode: Mode = 0o660
    listen: str | None = None
    tls: ServerTls | None = None
    insecure: bool = False
    drain: Seconds = timedelta(seconds=15)
    log: LogConfig = LogConfig()
    http: HttpConfig | None = None
    page: PageConfig | None = None
    backends: dict[str, BackendConfig] = Field(default={}, validate_default=True)

    @model_validator(mode="after")
    def _unambiguous(self) -> "Config":
        if not self.backends:
            raise ValueError(
                f"backends: name at least one OAP, for example backends: {{default: {{url: http://oap:12800}}}}, "
                f"or set {OAP_ADDRESS}"
            )
        owners: dict[str, str] = {}
        for name, backend in self.backends.items():
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
                raise ValueError(f"backends.{name}: a name has lower-case letters, digits and dashes")
            for address in {backend.url, *backend.aliases}:
                if owners.setdefault(address, name) != name:
                    raise ValueError(f"backends.{name}: {address} selects the backend {owners[address]} already")
        return self

    def to_yaml_redacted(self) -> str:
        """The effective configuration as YAML, secrets masked."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True, exclude_none=True), sort_keys=False)
