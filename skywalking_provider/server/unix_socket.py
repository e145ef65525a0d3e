"""Exclusive ownership of a unix socket path: a lock file beside it, and a socket that appears with its final mode.

The socket is bound in a private folder and then linked to its path. Other users of the folder can therefore neither
exchange it before its mode is verified, nor have a file of theirs or of the service changed. gRPC removes the path
that it has bound, whatever is there at its end; that path no longer exists then.
"""

import errno
import fcntl
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skywalking_provider.config import ConfigError

MAX_PATH_LENGTH = 100
MAX_FOLDER_LENGTH = 94  # the private folder below it adds 12 characters; a path of 107 is the kernel's limit
_PRIVATE_NAME = "s"


@dataclass(slots=True)
class SocketPath:
    """A path that this process owns.

    Attributes:
        path: Path that clients connect to.
        bind_path: Path to bind the socket at, in a folder that only this user can enter.
    """

    path: Path
    bind_path: Path
    _published: tuple[int, int] | None = None

    def publish(self, mode: int) -> None:
        """Let the bound socket appear at the path.

        Raises:
            ConfigError: The bound socket is not the service's or has another mode, or the path is taken.
        """
        bound = self.bind_path.lstat()
        if not stat.S_ISSOCK(bound.st_mode) or bound.st_uid != os.geteuid() or stat.S_IMODE(bound.st_mode) != mode:
            raise ConfigError(
                f"socket: {self.path} would have the type and mode {stat.filemode(bound.st_mode)} and the owner "
                f"{bound.st_uid} instead of the mode {mode:04o} and the owner {os.geteuid()}. "
                "Remove default ACLs of its folder."
            )
        try:
            os.link(self.bind_path, self.path, follow_symlinks=False)
        except OSError as error:
            raise ConfigError(
                f"socket: {self.path} cannot be created: {error.strerror}. Set a path in a folder of the service."
            ) from error
        self._published = bound.st_dev, bound.st_ino
        self.bind_path.unlink()
        self.bind_path.parent.rmdir()

    def remove(self) -> None:
        """Remove the socket, unless another file has taken its place."""
        with suppress(FileNotFoundError):
            if _identify(self.path.lstat()) == self._published:
                self.path.unlink()
        with suppress(FileNotFoundError):
            self.bind_path.unlink(missing_ok=True)
            self.bind_path.parent.rmdir()


@contextmanager
def exclusive_socket_path(path: Path) -> Iterator[SocketPath]:
    """Own the path until the context ends, then remove the socket.

    The kernel releases the lock when the process exits, also after a crash. A stale socket of a killed service is
    removed. A service that still drains keeps its socket.

    Raises:
        ConfigError: Another service or user owns the path, or the path is not a socket.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigError(f"socket: lock file {lock} cannot be created: {error.strerror}.") from error
    try:
        _lock(descriptor, lock, path)
        _remove_stale_socket(path)
        owned = SocketPath(path, _create_private_folder(path.parent) / _PRIVATE_NAME)
        try:
            yield owned
        finally:
            owned.remove()
    finally:
        os.close(descriptor)


def _create_private_folder(parent: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".", dir=parent))
    except OSError as error:
        raise ConfigError(f"socket: no folder can be created in {parent}: {error.strerror}.") from error


def find_shared_folder(path: Path) -> Path | None:
    """Return the folder above a path in which every user could exchange it, if there is one.

    A folder with the sticky bit protects the files of other users. The root of a volume is skipped: in a pod, only
    the containers that mount the volume reach it.
    """
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and not folder.is_mount():
            return folder
    return None


def _lock(descriptor: int, lock: Path, path: Path) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise ConfigError(
            f"socket: lock file {lock} is not a regular file of user {os.geteuid()}, but of user {status.st_uid}. "
            "Remove it, and use a folder that only the service can write to."
        )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConfigError(
            f"socket: {path} is owned by another service, which may still drain. Stop it or set another path."
        ) from error
    try:
        replaced = _identify(lock.lstat()) != _identify(status)
    except FileNotFoundError:
        replaced = True
    if replaced:
        raise ConfigError(f"socket: lock file {lock} was replaced during the start. Start the service again.")


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


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
