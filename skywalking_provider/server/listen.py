"""Where the service listens: a unix socket with a mode, or TCP on loopback."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from skywalking_provider.config import Config, ConfigError


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to serve on; exactly one of both."""

    socket: Path | None
    address: str | None

    @property
    def target(self) -> str:
        """As gRPC writes it."""
        return f"unix:{self.socket}" if self.socket else str(self.address)


def endpoint_of(config: Config) -> Endpoint:
    """The place that the configuration names, checked.

    Raises:
        ConfigError: None or two are named, TCP would be open to others, or the socket cannot be made.
    """
    match config.socket, config.listen:
        case None, None:
            raise ConfigError("socket: say where to serve, for example --socket /run/skywalking/provider.sock")
        case path, None if path is not None:
            _check_socket(path)
            return Endpoint(path, None)
        case None, address if address is not None:
            _check_address(address, insecure=config.insecure)
            return Endpoint(None, address)
    raise ConfigError("socket and listen: write one of them")


def _check_socket(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"socket: the folder {path.parent} does not exist")
    if len(str(path)) > 100:
        raise ConfigError(f"socket: {path} is longer than the 100 characters that a unix socket may have")


def _check_address(address: str, *, insecure: bool) -> None:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"listen: {address!r} is not host:port, such as 127.0.0.1:9500")
    host = host.strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not insecure:
        raise ConfigError(
            f"listen: {address!r} is open to others and this version authenticates nobody on TCP; "
            "use --socket, listen on 127.0.0.1, or say --insecure"
        )
