"""A Debian 13 root made by debootstrap, in place of the base image `debian:trixie-slim`, without a container engine."""

import hashlib
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.install.install_tools import ROOT

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org")  # packages are signed; the root has no CAs yet
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Docker passes the proxies. The others let the network of this machine work in the root.
PASSED = ("http_proxy", "https_proxy", "no_proxy", "DEBIAN_MIRROR", "DEBIAN_SNAPSHOT", "UV_DEFAULT_INDEX")


def run_in_root(root: Path, script: str, *, cwd: str = "/", env: dict[str, str], mounts: dict[str, Path]) -> None:
    """Run a shell script as root in a directory, with the network of this machine and mounts of its own."""
    _run_isolated(root, [], script, cwd, env, mounts)


def run_above(base: Path, layer: Path, script: str, *, cwd: str, env: dict[str, str], mounts: dict[str, Path]) -> None:
    """Run a shell script in a root whose changes go to a new layer, as a build of an image does."""
    work, merged = layer.with_name(f"{layer.name}-work"), layer.with_name(f"{layer.name}-merged")
    for folder in (layer, work, merged):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    overlay = f"mount -t overlay -o lowerdir={base},upperdir={layer},workdir={work} overlay {merged}"
    _run_isolated(merged, [overlay], script, cwd, env, mounts)


def _run_isolated(
    root: Path, steps: list[str], script: str, cwd: str, env: dict[str, str], mounts: dict[str, Path]
) -> None:
    inside = {"/etc/resolv.conf": Path("/etc/resolv.conf"), "/run/certificates.crt": CERTIFICATES} | mounts
    steps = [*steps, f"mount --rbind /dev {root}/dev", f"mount -t proc proc {root}/proc"]
    for target, source in inside.items():
        mount_point = root / target.lstrip("/")
        make = f"mkdir -p {mount_point}" if source.is_dir() else f"touch {mount_point}"
        steps += [make, f"mount --bind {source} {mount_point}"]
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin")
    steps.append(f"exec {chroot} {root} /bin/sh -euc {shlex.quote(f'cd {cwd}; {script}')}")
    passed = {name: value for name, value in os.environ.items() if name.lower() in PASSED or name in PASSED}
    trust = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE"), "/run/certificates.crt")
    subprocess.run(
        ["unshare", "--mount", "sh", "-euc", "\n".join(steps)],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | passed | trust | env,
        check=True,
    )


def make_base(folder: Path, script: str) -> Path:
    """Return a Debian 13 root in which a script has run, as a layer of an image. It is made once for each script."""
    lock = (ROOT / "image/packages.lock").read_text()
    packages = subprocess.run(
        [ROOT / "image/fetch.py", "packages", "test", "amd64"], check=True, capture_output=True, text=True
    ).stdout.split()
    locked = [line for line in lock.splitlines() if line.startswith("test ")]
    key = hashlib.sha256("\n".join([*locked, script]).encode()).hexdigest()[:16]
    base = folder / f"debian-13-{key}"
    if base.exists():
        return base
    tools, new = folder / "debootstrap", folder / f"debian-13-{key}.new"
    for old in (tools, new):
        shutil.rmtree(old, ignore_errors=True)
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, tools], check=True)
    keys = tools / "usr/share/keyrings/debian-archive-keyring.gpg"
    command = [
        tools / "usr/sbin/debootstrap",
        "--variant=minbase",
        f"--keyring={keys}",
        "trixie",
        new,
        f"{MIRROR}/debian",
    ]
    subprocess.run(command, env=os.environ | {"DEBOOTSTRAP_DIR": f"{tools}/usr/share/debootstrap"}, check=True)
    run_in_root(new, script, env={}, mounts={})
    return new.rename(base)
