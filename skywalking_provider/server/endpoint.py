"""Where the service listens: a unix socket with a mode, TCP on loopback, or TCP with certificates of both sides."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from skywalking_provider.config import Config, ConfigError
from skywalking_provider.config.listeners import host_and_port
from skywalking_provider.config.tls import ServerTls


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to serve on; exactly one of socket and address.

    Attributes:
        socket: A unix socket.
        address: host:port.
        tls: Who is served on the address; None for everybody who reaches it.
        exposed: Whether others than this machine reach it.
    """

    socket: Path | None
    address: str | None
    tls: ServerTls | None = None
    exposed: bool = False

    @property
    def target(self) -> str:
        """As gRPC writes it."""
        return f"unix:{self.socket}" if self.socket else str(self.address)


def resolve_endpoint(config: Config) -> Endpoint:
    """The place that the configuration names, checked.

    Raises:
        ConfigError: None or two are named, TCP would be open to others, or the socket cannot be made.
    """
    match config.socket, config.listen:
        case None, None:
            raise ConfigError("socket: say where to serve, for example --socket /run/skywalking/provider.sock")
        case path, None if path is not None:
            _check_socket(path, config.tls)
            return Endpoint(path, None)
        case None, address if address is not None:
            return _resolve_tcp(address, config)
    raise ConfigError("socket and listen: write one of them")


def _check_socket(path: Path, tls: ServerTls | None) -> None:
    if tls is not None:
        raise ConfigError("tls: belongs to listen; a socket is guarded by its mode (socketMode)")
    if not path.parent.is_dir():
        raise ConfigError(f"socket: the folder {path.parent} does not exist")
    if len(str(path)) > 100:
        raise ConfigError(f"socket: {path} is longer than the 100 characters that a unix socket may have")


def _resolve_tcp(address: str, config: Config) -> Endpoint:
    try:
        host, _ = host_and_port(address)
    except ValueError as error:
        raise ConfigError(f"listen: {address!r} is not host:port, such as 127.0.0.1:9500") from error
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if config.tls and config.insecure:
        raise ConfigError("insecure and tls: write one of them")
    if not (loopback or config.tls or config.insecure):
        raise ConfigError(
            f"listen: {address!r} is open to others; write tls (certFile, keyFile, clientCaFile, allowedIdentities), "
            "use --socket, listen on 127.0.0.1, or say --insecure"
        )
    return Endpoint(None, address, config.tls, exposed=not loopback)
