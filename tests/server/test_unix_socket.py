"""Unix socket: its private folder, and files of others at the paths of socket and lock."""

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skywalking_provider.config import Config, ConfigError
from skywalking_provider.server.endpoint import resolve_endpoint
from skywalking_provider.server.unix_socket import (
    MAX_FOLDER_LENGTH,
    SocketPath,
    exclusive_socket_path,
    find_shared_folder,
)


@contextmanager
def bound(owned: SocketPath, mode: int = 0o660) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(owned.bind_path))
        owned.bind_path.chmod(mode)
        server.listen()
        yield


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_published_socket_has_its_mode_and_leaves_no_folder(tmp_path: Path) -> None:
    with exclusive_socket_path(tmp_path / "p.sock") as owned, bound(owned):
        owned.publish(0o660)

        assert list_names(tmp_path) == ["p.sock", "p.sock.lock"]
        assert stat.S_IMODE((tmp_path / "p.sock").stat().st_mode) == 0o660
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "p.sock"))

    assert list_names(tmp_path) == ["p.sock.lock"]


def test_socket_that_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    with exclusive_socket_path(tmp_path / "p.sock") as owned, bound(owned):
        assert not (tmp_path / "p.sock").exists()

    assert list_names(tmp_path) == ["p.sock.lock"]


def test_socket_with_another_mode_is_not_published(tmp_path: Path) -> None:
    with exclusive_socket_path(tmp_path / "p.sock") as owned, bound(owned, 0o666):
        with pytest.raises(ConfigError, match=r"srw-rw-rw- .*instead of the mode 0660"):
            owned.publish(0o660)

        assert not (tmp_path / "p.sock").exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_file_that_appears_during_the_start_is_kept(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "p.sock", tmp_path / "other"
    with exclusive_socket_path(path) as owned, bound(owned):
        if kind == "folder":
            path.mkdir()
        elif kind == "file":
            path.write_text("precious")
        else:
            path.symlink_to(other)
            if kind == "link":
                other.write_text("precious")
        before = path.lstat()

        with pytest.raises(ConfigError, match="File exists"):
            owned.publish(0o660)

    assert path.lstat() == before
    assert other.exists() == (kind == "link")


def test_socket_that_replaced_ours_is_kept_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    with socket.socket(socket.AF_UNIX) as squatter:
        with exclusive_socket_path(path) as owned, bound(owned):
            owned.publish(0o660)
            path.unlink()
            squatter.bind(str(path))

        assert path.exists()


def test_socket_that_was_removed_ends_without_error(tmp_path: Path) -> None:
    with exclusive_socket_path(tmp_path / "p.sock") as owned, bound(owned):
        owned.publish(0o660)
        (tmp_path / "p.sock").unlink()


def test_lock_that_is_not_a_regular_file_is_rejected(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.sock.lock")

    with pytest.raises(ConfigError, match="is not a regular file"), exclusive_socket_path(tmp_path / "p.sock"):
        pass


def test_lock_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.sock.lock").touch()
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    with pytest.raises(ConfigError, match=f"but of user {owner}"), exclusive_socket_path(tmp_path / "p.sock"):
        pass


def test_lock_that_is_a_link_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "p.sock.lock").symlink_to(tmp_path / "victim")

    with pytest.raises(ConfigError, match="cannot be created"), exclusive_socket_path(tmp_path / "p.sock"):
        pass
    assert not (tmp_path / "victim").exists()


def test_lock_that_is_replaced_during_the_start_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "p.sock.lock"
    flock = fcntl.flock

    def replace_and_flock(descriptor: int, operation: int) -> None:
        lock.unlink()
        lock.touch()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replace_and_flock)

    with pytest.raises(ConfigError, match="was replaced"), exclusive_socket_path(tmp_path / "p.sock"):
        pass


@pytest.mark.parametrize(("mode", "shared"), [(0o755, False), (0o775, False), (0o777, True), (0o1777, False)])
def test_folder_in_which_every_user_can_exchange_files_is_found(tmp_path: Path, mode: int, shared: bool) -> None:
    folder = tmp_path / "run"
    inner = folder / "inner"
    inner.mkdir(parents=True)
    folder.chmod(mode)

    expected = folder.resolve() if shared else None
    assert find_shared_folder(folder / "p.sock") == expected
    assert find_shared_folder(inner / "p.sock") == expected


def test_folder_of_the_greatest_length_can_be_bound(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * (MAX_FOLDER_LENGTH - len(str(tmp_path)) - 1))
    folder.mkdir()

    with exclusive_socket_path(folder / "p") as owned, bound(owned):
        owned.publish(0o660)
    Path(f"{folder}x").mkdir()
    config = Config.model_validate({"backends": {"prod": {"url": "http://oap"}}, "socket": f"{folder}x/p"})
    with pytest.raises(ConfigError, match="its folder longer than"):
        resolve_endpoint(config)
