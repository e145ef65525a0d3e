"""Debian's registry and cosign, from the packages that image/packages.lock pins for tests. Nothing is installed."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def extract_programs(folder: Path) -> Path:
    """Extract the packages to a folder and return the folder of their programs."""
    command = ["python3", ROOT / "image/fetch.py", "packages", "registry", _ARCHITECTURES[os.uname().machine]]
    packages = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return folder / "usr/bin"


@contextmanager
def run_registry(program: Path, folder: Path) -> Iterator[str]:
    """Run a registry on loopback and yield its HOST:PORT."""
    config, output = folder / "registry.yml", folder / "registry.log"
    config.write_text(
        f"version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        'http: {addr: "127.0.0.1:0"}\n'
    )
    with output.open("wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log, env=_without_settings())
    try:
        yield _await_address(process, output)
    finally:
        process.kill()
        process.wait()


def _without_settings() -> dict[str, str]:
    """Return the environment without the variables that change the registry's configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "OTEL_"))}


def _await_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the registry listens and return its HOST:PORT, which it logs."""
    for _ in range(600):
        assert process.poll() is None, f"the registry has ended. Read {log}."
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"the registry does not listen. Read {log}.")
