"""Command `skywalking-provider bridge`: lists and copies the bridge binaries of the image."""

import hashlib
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from skywalking_provider import __version__

_BINARY = "skywalking-bridge"
# Go's names of the machines that Python names as the kernel does.
_GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class _Bridge:
    path: Path
    version: str
    platform: str

    @property
    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def bridge_command(
    *,
    to: Annotated[
        Path | None, typer.Option(help="Copy the bridge for this machine to this file, atomically and executable.")
    ] = None,
    all_to: Annotated[
        Path | None, typer.Option(help="Copy all bridges into this folder, as VERSION/OS-ARCH/skywalking-bridge.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--from", help="Folder of the bridges, as VERSION/OS-ARCH/skywalking-bridge.")
    ] = Path("/opt/bridge"),
) -> None:
    """List the bridges of this image with their sha256, or copy them for a controller.

    Needs no shell and no network, so it can run in an init container of the controller's pod.
    """
    try:
        bridges = sorted(_bridges(folder), key=lambda bridge: (bridge.version, bridge.platform))
        if not bridges:
            raise FileNotFoundError(f"no VERSION/OS-ARCH/{_BINARY} in {folder}. Name the folder with --from.")
        if all_to is not None:
            for bridge in bridges:
                _copy(bridge.path, all_to / bridge.path.relative_to(folder))
        if to is not None:
            bridges = [_select_for_this_machine(bridges, folder)]
            _copy(bridges[0].path, to)
    except OSError as error:
        typer.echo(f"skywalking-provider bridge: {error}", err=True)
        raise typer.Exit(1) from error
    for bridge in bridges:
        typer.echo(f"{bridge.version}  {bridge.platform}  sha256:{bridge.sha256}")


def _bridges(folder: Path) -> Iterator[_Bridge]:
    for path in folder.glob(f"*/*/{_BINARY}"):
        version, built_for, _ = path.relative_to(folder).parts
        yield _Bridge(path, version, built_for)


def _select_for_this_machine(bridges: list[_Bridge], folder: Path) -> _Bridge:
    machine = platform.machine()
    required = (__version__, f"{platform.system().lower()}-{_GO_ARCHITECTURES.get(machine, machine)}")
    for bridge in bridges:
        if (bridge.version, bridge.platform) == required:
            return bridge
    available = ", ".join(f"{bridge.version} {bridge.platform}" for bridge in bridges)
    raise FileNotFoundError(f"no bridge {' '.join(required)} in {folder}. Available: {available}")


def _copy(source: Path, target: Path) -> None:
    """Copy to a new file and rename it, so that a process that starts the target never reads part of a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, new)
        new.chmod(0o755)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
