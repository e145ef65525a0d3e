"""Exclusive ownership of a unix socket path, by a lock file beside it."""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skywalking_provider.config import ConfigError


@contextmanager
def exclusive_socket_path(path: Path) -> Iterator[None]:
    """Own the path until the context ends, then remove the socket.

    The kernel releases the lock when the process exits, also after a crash. A stale socket of a killed service is
    removed. A service that still drains keeps its socket, and gRPC's clean-up cannot remove a successor's.

    Raises:
        ConfigError: Another service owns the path, or the path is not a socket.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"socket: lock file {lock} cannot be created: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"socket: {path} is owned by another service, which may still drain. Stop it or set another path."
            ) from error
        _remove_stale_socket(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _remove_stale_socket(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"socket: {path} exists and is not a socket. Remove it or set another path.")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        result = probe.connect_ex(str(path))
    if result != errno.ECONNREFUSED:
        raise ConfigError(f"socket: another service listens on {path}. Stop it or set another path.")
    try:
        path.unlink()
    except OSError as error:
        raise ConfigError(f"socket: stale socket {path} cannot be removed: {error.strerror}.") from error
