#!/usr/bin/env python3
"""Load what the build of the image needs, and check each file's SHA-256.

Usage: image/fetch.py packages PURPOSE ARCH     prints the paths of the Debian packages of image/packages.lock
       image/fetch.py uv                        prints the path of the uv of requirements/build.lock

Files are kept in IMAGE_CACHE (.cache/image/files by default). Packages come from DEBIAN_MIRROR (https://deb.debian.org).
Versions that Debian has replaced come from DEBIAN_SNAPSHOT (https://snapshot.debian.org). uv comes from the package
index UV_DEFAULT_INDEX (https://pypi.org/simple). Needs curl and Python 3.11, and no other package.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urljoin

IMAGE = Path(__file__).parent
LOCK = IMAGE / "packages.lock"
MIRROR = os.environ.get("DEBIAN_MIRROR", "https://deb.debian.org")
SNAPSHOT = os.environ.get("DEBIAN_SNAPSHOT", "https://snapshot.debian.org")
INDEX = os.environ.get("UV_DEFAULT_INDEX", "https://pypi.org/simple")
CACHE = Path(os.environ.get("IMAGE_CACHE", IMAGE.parent / ".cache/image/files"))


class FetchError(Exception):
    """A file that cannot be loaded, or has other content than the lock file says."""


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package of the lock file.

    Attributes:
        architecture: Architecture of the image, also for packages without an architecture.
        path: Path on Debian's mirrors, as part of a URL.
    """

    purpose: str
    architecture: str
    name: str
    version: str
    path: str
    sha256: str


def read_lock(path: Path = LOCK) -> Iterator[Package]:
    """Yield the packages of a lock file."""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            yield Package(*line.split())


def fetch_package(package: Package) -> Path:
    """Return the path of a package, and load it unless it was loaded before.

    Raises:
        FetchError: Neither Debian's mirror nor its archive of old versions has it.
    """
    target = CACHE / "packages" / f"{package.sha256}.deb"
    if target.is_file() and compute_sha256(target) == package.sha256:
        return target
    problems = []
    for find_url in (lambda _: f"{MIRROR}/{package.path}", find_in_snapshot):
        try:
            return load(find_url(package), package.sha256, target)
        except FetchError as error:
            problems.append(f"  {error}")
    raise FetchError(
        f"{package.name} {package.version} of {package.architecture} is not available:\n"
        + "\n".join(problems)
        + "\nCheck the network, or run make lock-image for the versions that Debian has now."
    )


def find_in_snapshot(package: Package) -> str:
    """Return the URL of a package in Debian's archive of all versions, which names files by their SHA-1."""
    url = f"{SNAPSHOT}/mr/binary/{quote(package.name)}/{quote(package.version, safe='')}/binfiles"
    architecture = package.path.rpartition("_")[2].removesuffix(".deb")
    try:
        files = json.loads(run_curl(url))["result"]
        hashes = [file["hash"] for file in files if file["architecture"] == architecture]
    except (ValueError, LookupError, TypeError) as error:
        raise FetchError(f"{url}: the response is not a list of files") from error
    if not hashes:
        raise FetchError(f"{url}: no file for {architecture}")
    return f"{SNAPSHOT}/file/{hashes[0]}"


def fetch_uv(lock: Path = IMAGE.parent / "requirements/build.lock") -> Path:
    """Return the path of uv for this machine, and load it unless it was loaded before.

    Raises:
        FetchError: The package index does not have the locked version.
    """
    found = re.search(r"^uv==(\S+) \\\n((?: +--hash=sha256:\w+(?: \\)?\n)+)", lock.read_text(), re.MULTILINE)
    if not found:
        raise FetchError(f"{lock} has no hashes for uv. Run make lock.")
    version, hashes = found[1], set(re.findall(r"sha256:(\w+)", found[2]))
    folder = CACHE / f"uv-{version}-{platform.machine()}"
    known = [path for path in folder.glob("*.whl") if path.stem in hashes and compute_sha256(path) == path.stem]
    wheel = known[0] if known else load_uv(version, hashes, folder)
    program = folder / "uv"
    with zipfile.ZipFile(wheel) as archive:
        replace(program, archive.read(f"uv-{version}.data/scripts/uv"), mode=0o755)
    return program


def load_uv(version: str, hashes: set[str], folder: Path) -> Path:
    """Load the wheel of uv for this machine from the package index."""
    page = f"{INDEX.rstrip('/')}/uv/"
    suffix = rf"uv-{re.escape(version)}-py3-none-manylinux[^\"#]*_{platform.machine()}[^\"#]*\.whl"
    for link, sha256 in re.findall(rf'href="([^"#]*{suffix})#sha256=(\w+)"', run_curl(page).decode()):
        if sha256 in hashes:
            return load(urljoin(page, link), sha256, folder / f"{sha256}.whl")
    raise FetchError(
        f"{remove_credentials(page)} has no wheel of uv {version} for {platform.machine()} with a hash of build.lock."
    )


def load(url: str, sha256: str, target: Path) -> Path:
    """Load a file with a known SHA-256 and return its path."""
    content = run_curl(url)
    if (actual := hashlib.sha256(content).hexdigest()) != sha256:
        raise FetchError(f"{url}: the SHA-256 is {actual}, not {sha256} as locked")
    replace(target, content)
    return target


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file in one step, because several builds may share the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(content)
    new.chmod(mode)
    new.replace(path)


def run_curl(url: str) -> bytes:
    """Return the content of a URL. Failures of the network are retried."""
    # A connection without data for a minute is a failure.
    options = ["-fsSL", "--retry", "3", "--connect-timeout", "20", "--speed-limit", "1", "--speed-time", "60"]
    done = subprocess.run(["curl", *options, url], capture_output=True, check=False)
    if done.returncode:
        raise FetchError(f"{remove_credentials(unquote(url))}: {done.stderr.decode().strip()}")
    return done.stdout


def remove_credentials(url: str) -> str:
    """Return a URL for messages: that of a package index may contain a password."""
    return re.sub("//[^/]*@", "//", url)


def compute_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_packages(purpose: str, architecture: str) -> list[Path]:
    """Return the paths of all packages of a purpose.

    Raises:
        FetchError: A package is not available, or the lock file has none.
    """
    packages = [one for one in read_lock() if (one.purpose, one.architecture) == (purpose, architecture)]
    if not packages:
        raise FetchError(f"{LOCK} has no packages of {purpose} for {architecture}. Use amd64 or arm64.")
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(fetch_package, packages))


def main(arguments: list[str]) -> int:
    """Print the paths of the files; return 1 if one is not available, and 2 for unknown arguments."""
    try:
        match arguments:
            case ["packages", purpose, architecture]:
                paths = fetch_packages(purpose, architecture)
            case ["uv"]:
                paths = [fetch_uv()]
            case _:
                print("image/fetch.py: arguments unknown. Use packages PURPOSE ARCH, or uv.", file=sys.stderr)
                return 2
        print(*paths, sep="\n")
    except FetchError as error:
        print(f"image/fetch.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
