"""Files of the image's build: locked Debian packages and uv, from the mirror, the snapshot archive and the index."""

import hashlib
import io
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from image import fetch

CONTENT = b"a Debian package"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "debian/pool/main/z/zlib/zlib1g_1.3%2bdfsg_amd64.deb"
PACKAGE = fetch.Package("image", "amd64", "zlib1g", "1:1.3+dfsg", PATH, SHA256)
FILES_OF_VERSION = "/snapshot/mr/binary/zlib1g/1%3A1.3%2Bdfsg/binfiles"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Serve files by path as mirror, snapshot archive and package index. Others have status 404."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = files.get(self.path)
            self.send_response(200 if found is not None else 404)
            self.end_headers()
            self.wfile.write(found or b"not the file")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(fetch, "MIRROR", url)
        monkeypatch.setattr(fetch, "SNAPSHOT", f"{url}/snapshot")
        monkeypatch.setattr(fetch, "INDEX", f"{url}/simple/")
        monkeypatch.setattr(fetch, "CACHE", tmp_path / "cache")
        yield files
        server.shutdown()
        thread.join()


def serve_snapshot(served: dict[str, bytes], content: bytes = CONTENT) -> None:
    files = [{"architecture": "arm64", "hash": "other"}, {"architecture": "amd64", "hash": "5ba1"}]
    served[FILES_OF_VERSION] = json.dumps({"result": files}).encode()
    served["/snapshot/file/5ba1"] = content


def test_fetch_package_comes_from_the_mirror_and_is_kept(served: dict[str, bytes]) -> None:
    served[f"/{PATH}"] = CONTENT

    path = fetch.fetch_package(PACKAGE)
    served.clear()

    assert path.read_bytes() == CONTENT
    assert fetch.fetch_package(PACKAGE) == path


def test_fetch_package_that_debian_replaced_comes_from_the_snapshot_archive(served: dict[str, bytes]) -> None:
    serve_snapshot(served)

    assert fetch.fetch_package(PACKAGE).read_bytes() == CONTENT


def test_fetch_package_changed_in_the_cache_is_loaded_again(served: dict[str, bytes]) -> None:
    served[f"/{PATH}"] = CONTENT
    fetch.fetch_package(PACKAGE).write_bytes(b"changed")

    assert fetch.fetch_package(PACKAGE).read_bytes() == CONTENT


def test_fetch_package_with_another_hash_is_rejected(served: dict[str, bytes]) -> None:
    served[f"/{PATH}"] = b"replaced"
    serve_snapshot(served, b"replaced")

    with pytest.raises(fetch.FetchError) as raised:
        fetch.fetch_package(PACKAGE)

    assert str(raised.value).count(f"the SHA-256 is {hashlib.sha256(b'replaced').hexdigest()}, not {SHA256}") == 2
    assert not list(fetch.CACHE.rglob("*.deb"))


@pytest.mark.usefixtures("served")
def test_fetch_package_without_a_source_names_the_next_step() -> None:
    with pytest.raises(fetch.FetchError) as raised:
        fetch.fetch_package(PACKAGE)

    first, mirror, snapshot, step = str(raised.value).splitlines()
    assert first == "zlib1g 1:1.3+dfsg of amd64 is not available:"
    assert "zlib1g_1.3+dfsg_amd64.deb: " in mirror
    assert "404" in mirror
    assert "/binfiles: " in snapshot
    assert step == "Check the network, or run make lock-image for the versions that Debian has now."


def test_fetch_package_without_its_architecture_in_the_snapshot_is_rejected(served: dict[str, bytes]) -> None:
    serve_snapshot(served)

    with pytest.raises(fetch.FetchError, match="no file for riscv64"):
        fetch.fetch_package(replace(PACKAGE, path="debian/pool/zlib1g_1.3_riscv64.deb"))


def test_fetch_package_with_an_unreadable_list_of_the_snapshot_is_rejected(served: dict[str, bytes]) -> None:
    served[FILES_OF_VERSION] = b"<html>maintenance</html>"

    with pytest.raises(fetch.FetchError, match="binfiles: the response is not a list of files"):
        fetch.fetch_package(PACKAGE)


def test_fetch_packages_of_an_unknown_architecture_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch.main(["packages", "image", "riscv64"]) == 1
    assert "has no packages of image for riscv64. Use amd64 or arm64." in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["pip"], ["packages", "image"]])
def test_unknown_arguments_are_rejected(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert fetch.main(arguments) == 2
    assert capsys.readouterr().err == "image/fetch.py: arguments unknown. Use packages PURPOSE ARCH, or uv.\n"


def make_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: dict[str, bytes], hashes: int = 1) -> Path:
    """Serve uv 1.2 for two architectures, and return a lock file with the hashes of the first wheels."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    links, locked = "", []
    for machine in ("x86_64", "aarch64"):
        wheel = io.BytesIO()
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("uv-1.2.data/scripts/uv", machine)
        name, sha256 = f"uv-1.2-py3-none-manylinux_2_17_{machine}.whl", hashlib.sha256(wheel.getvalue()).hexdigest()
        served[f"/files/{name}"] = wheel.getvalue()
        links += f'<a href="../../files/{name}#sha256={sha256}">{name}</a>\n'
        locked.append(f"    --hash=sha256:{sha256}")
    served["/simple/uv/"] = links.encode()
    lock = tmp_path / "build.lock"
    lock.write_text("tomlkit==1 \\\n    --hash=sha256:00\nuv==1.2 \\\n" + " \\\n".join(locked[:hashes]) + "\n")
    return lock


def test_fetch_uv_is_the_program_of_this_machine(
    served: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = make_wheel(monkeypatch, tmp_path, served, hashes=2)

    program = fetch.fetch_uv(lock)
    served.clear()

    assert program.read_text() == "aarch64"
    assert program.stat().st_mode & 0o111
    program.write_text("changed")
    assert fetch.fetch_uv(lock).read_text() == "aarch64"


def test_fetch_uv_without_a_locked_hash_is_rejected(
    served: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(fetch.FetchError, match=r"has no wheel of uv 1\.2 for aarch64 with a hash of build\.lock"):
        fetch.fetch_uv(make_wheel(monkeypatch, tmp_path, served))


def test_fetch_errors_do_not_contain_the_password_of_the_index(
    served: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "INDEX", fetch.INDEX.replace("//", "//user:secret@"))
    with pytest.raises(fetch.FetchError, match="has no wheel of uv") as without_wheel:
        fetch.fetch_uv(make_wheel(monkeypatch, tmp_path, served))
    served.clear()
    with pytest.raises(fetch.FetchError, match="404") as not_found:
        fetch.fetch_uv(make_wheel(monkeypatch, tmp_path, {}))

    assert "secret" not in f"{without_wheel.value} {not_found.value}"


def test_lock_has_each_package_for_both_architectures_from_debian_13() -> None:
    lines = (fetch.IMAGE / "packages").read_text().splitlines()
    wanted = [tuple(line.split()) for line in lines if not line.startswith("#")]
    packages = list(fetch.read_lock())

    assert Counter((one.purpose, one.name) for one in packages) == dict.fromkeys(wanted, 2)
    assert {one.architecture for one in packages} == {"amd64", "arm64"}
    assert {len(one.sha256) for one in packages} == {64}
    assert all(one.path.startswith(("debian/pool/", "debian-security/pool/")) for one in packages)
