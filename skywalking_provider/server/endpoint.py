"""Endpoint of the gRPC service: a unix socket with a mode, TCP on loopback, or TCP with mutual TLS."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from skywalking_provider.config import Config, ConfigError
from skywalking_provider.config.listeners import host_and_port
from skywalking_provider.config.tls import ServerTls
from skywalking_provider.server.unix_socket import MAX_FOLDER_LENGTH, MAX_PATH_LENGTH


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Endpoint to serve on; exactly one of `socket` and `address` is set.

    Attributes:
        socket: Path of a unix socket.
        address: TCP address as host:port.
        tls: Mutual TLS for the address; None serves every client that can connect.
        exposed: Whether other machines can connect.
    """

    socket: Path | None
    address: str | None
    tls: ServerTls | None = None
    exposed: bool = False

    @property
    def target(self) -> str:
        """Return the endpoint as a gRPC target."""
        return f"unix:{self.socket}" if self.socket else str(self.address)


def resolve_endpoint(config: Config) -> Endpoint:
    """Return the endpoint of a configuration.

    Raises:
        ConfigError: Neither or both of `socket` and `listen` are set, TCP would be open to other machines without
            authentication, or the socket cannot be created.
    """
    match config.socket, config.listen:
        case None, None:
            raise ConfigError(
                "socket and listen are missing. Set one, for example --socket /run/skywalking/provider.sock."
            )
        case path, None if path is not None:
            _check_socket(path, config.tls)
            return Endpoint(path, None)
        case None, address if address is not None:
            return _resolve_tcp(address, config)
    raise ConfigError("socket and listen are both set. Keep one of them.")


def _check_socket(path: Path, tls: ServerTls | None) -> None:
    if tls is not None:
        raise ConfigError("tls requires listen: a socket is protected by its mode (socketMode). Remove tls or socket.")
    if not path.parent.is_dir():
        raise ConfigError(f"socket: folder {path.parent} does not exist. Create it or set another path.")
    if len(str(path)) > MAX_PATH_LENGTH or len(str(path.parent)) > MAX_FOLDER_LENGTH:
        raise ConfigError(
            f"socket: {path} is longer than {MAX_PATH_LENGTH} characters, or its folder longer than "
            f"{MAX_FOLDER_LENGTH}: the limit of a unix socket. Set a shorter path."
        )


def _resolve_tcp(address: str, config: Config) -> Endpoint:
    try:
        host, _ = host_and_port(address)
    except ValueError as error:
        raise ConfigError(f"listen: {address!r} is not host:port, such as 127.0.0.1:9500.") from error
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if config.tls and config.insecure:
        raise ConfigError("insecure and tls are both set. Keep one of them.")
    if not (loopback or config.tls or config.insecure):
        raise ConfigError(
            f"listen: {address!r} is open to other machines. Set tls (certFile, keyFile, clientCaFile, "
            "allowedIdentities), use --socket, listen on 127.0.0.1, or set --insecure."
        )
    return Endpoint(None, address, config.tls, exposed=not loopback)
