"""A unix socket that belongs to one service at a time: a lock beside it says to whom."""

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
    """Hold the path for as long as the context lasts, and leave nothing there.

    The lock ends with the process, however it ends. What a killed service left behind is removed; a service that
    still drains keeps its socket, and gRPC's own clean-up cannot take away a successor's.

    Raises:
        ConfigError: Somebody else holds the path, or something else is there.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"socket: {lock} cannot be made ({error.strerror})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"socket: another service holds {path}, or is still ending its calls; stop it or name another path"
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
        raise ConfigError(f"socket: {path} exists and is no socket; remove it or name another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        answer = probe.connect_ex(str(path))
    if answer != errno.ECONNREFUSED:
        raise ConfigError(f"socket: another service answers on {path}; stop it or name another path")
    try:
        path.unlink()
    except OSError as error:
        raise ConfigError(f"socket: {path} was left behind and cannot be removed ({error.strerror})") from error
