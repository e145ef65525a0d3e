"""The whole configuration: listeners, log, backends."""

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
"""SkyWalking's own variable: the url of a backend named `default`, if the file has no backends."""


class LogConfig(StrictModel):
    """Log of the service, written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Config(StrictModel):
    """The whole configuration.

    Attributes:
        socket: Path of the unix socket that the service listens on.
        socket_mode: Mode of the socket; the group allows a controller that runs as another user.
        listen: host:port to listen on instead of a socket.
        tls: Mutual TLS of `listen`; required beyond loopback unless `insecure` is set.
        insecure: Whether `listen` may be beyond loopback without authentication.
        drain: Time for calls in flight after the first SIGTERM.
        http: Probes and metrics over HTTP; None if they are off.
        page: Page with the last measurements; None if it is off.
        backends: OAPs by name.
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
                f"backends: no OAP is configured. Configure at least one, for example "
                f"backends: {{default: {{url: http://oap:12800}}}}, or set {OAP_ADDRESS}"
            )
        owners: dict[str, str] = {}
        for name, backend in self.backends.items():
            if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name):
                raise ValueError(f"backends.{name}: the name is not valid. Use lower-case letters, digits and dashes")
            for address in {backend.url, *backend.aliases}:
                if owners.setdefault(address, name) != name:
                    raise ValueError(
                        f"backends.{name}: {address} is already an address of {owners[address]}. Remove it from one"
                    )
        return self

    def to_yaml_redacted(self) -> str:
        """Return the effective configuration as YAML, with redacted secrets."""
        return yaml.safe_dump(self.model_dump(mode="json", by_alias=True, exclude_none=True), sort_keys=False)
