"""The image that the Dockerfile's stages build, started as in Kubernetes: user 999, read-only, isolated.

No container image is built. The test runs the scripts of the stages (expr/build, image/bridges and image/root). Each
script runs in a folder with only the files that its stage copies, image/root in a Debian 13 root. The test needs root.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from skywalking_provider import __version__
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.tools.demo.argo_host import run_argo_host
from tests.install.image_build import DOCKERFILE, DOWNLOADS, build_image, build_on_this_machine, instruction, list_tree
from tests.install.install_tools import METRIC, ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DOWNLOAD = os.environ | {"IMAGE_CACHE": str(DOWNLOADS), "UV_CACHE_DIR": str(DOWNLOADS / "uv")}
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin")


@pytest.fixture(scope="module")
def image() -> Path:
    """Return the root of the image."""
    return build_image()


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in instruction("ENV") for pair in shlex.split(line))


def container_command(image: Path, mounts: dict[str, Path], *command: str) -> list[str]:
    """Return a command line that runs a command of the image as in its container.

    It has a separate mount namespace, a read-only root, /tmp in memory, and user 999 without capabilities.
    """
    root = shlex.quote(str(image))
    steps = [
        f"mount --bind {root} {root}",
        f"mount --rbind /dev {root}/dev",
        f"mount -t proc proc {root}/proc",
        f"mount -t tmpfs -o nosuid,nodev,noexec tmpfs {root}/tmp",  # noqa: S108
        *(f"mount --bind {shlex.quote(str(source))} {root}{target}" for target, source in mounts.items()),
        f"mount -o remount,bind,ro {root}",
        f"exec setpriv --no-new-privs --inh-caps=-all {CHROOT} --userspec={instruction('USER')[0]} --groups=999 {root} "
        + shlex.join(["/usr/bin/" + command[0], *command[1:]]),
    ]
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", "\n".join(steps)]


def run(image: Path, *command: str, mounts: dict[str, Path] | None = None) -> subprocess.CompletedProcess[str]:
    line = container_command(image, mounts or {}, *command)
    return subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Create a folder that user 999 can write, such as an emptyDir."""
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 999, 999)
    return folder


@contextmanager
def service(image: Path, folder: Path, config: dict[str, Any], shared: Path) -> Iterator[subprocess.Popen[str]]:
    (folder / "config").mkdir()
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    mounts = {"/etc/skywalking-provider": folder / "config", "/run/skywalking": shared}
    command = [*json.loads(instruction("ENTRYPOINT")[0]), *json.loads(instruction("CMD")[0])]
    process = subprocess.Popen(
        container_command(image, mounts, *command),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # unshare's --kill-child has no effect after the child changes its user
        process.wait()
        process.stderr.close()


def test_dockerfile_runs_the_tested_scripts() -> None:
    assert re.search(r"RUN .*expr/build && image/bridges /bridges$", DOCKERFILE, re.DOTALL | re.MULTILINE)
    assert re.search(r"RUN .* image/root /image /bridges \$TARGETARCH$", DOCKERFILE, re.MULTILINE)
    assert instruction("COPY") == ["--from=root /image/ /"]
    assert "FROM scratch\n" in DOCKERFILE


def test_dockerfile_copies_every_file_that_the_scripts_read() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied: list[str] = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    sources = {word for line in copied for word in line.split()[:-1]}

    assert {source.split("/")[0] for source in sources} == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_image_has_labels_and_a_numeric_user() -> None:
    labels = dict(pair.split("=", 1) for pair in shlex.split(instruction("LABEL")[0]))

    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert instruction("USER") == ["999:999"]
    assert f"ARG VERSION={__version__}" in DOCKERFILE


def test_image_built_on_another_system_has_the_same_files(image: Path, tmp_path: Path) -> None:
    """Compare the Dockerfile's stage in Debian 13 with a build of the checkout on this machine."""
    here, there = list_tree(build_on_this_machine(tmp_path / "root")), list_tree(image)

    assert {path: (here.get(path), there.get(path)) for path in here | there if here.get(path) != there.get(path)} == {}
    assert len(here) > 5000


def test_runtime_for_the_checkout_is_that_of_the_image(image: Path, tmp_path: Path) -> None:
    tools = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run([ROOT / "image/runtime", tmp_path / "runtime"], env=tools, check=True)
    program = "import os, sys, wasmtime; print(sys.version_info[:2], os.confstr('CS_GNU_LIBC_VERSION'), sys.executable)"
    started = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}], check=True)"
    run_checkout = [tmp_path / "runtime/bin/python", "-m", "skywalking_provider", "--version"]

    output = subprocess.run([run_checkout[0], "-c", started], capture_output=True, text=True, check=True).stdout
    assert output == f"(3, 13) glibc 2.41 {tmp_path / 'runtime/bin/python'}\n"
    done = subprocess.run(run_checkout, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{__version__}\n", done.stderr
    packages = {path.name for path in (tmp_path / "runtime/usr/lib/python3/dist-packages").glob("*.dist-info")}
    in_image = {path.name for path in (image / "usr/lib/python3/dist-packages").glob("*.dist-info")}
    assert in_image - packages == {f"skywalking_provider-{__version__}.dist-info"}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_lock_has_wheels_for_each_python_and_architecture(python: str, tmp_path: Path) -> None:
    uv = subprocess.run([ROOT / "image/fetch.py", "uv"], env=DOWNLOAD, capture_output=True, text=True, check=True)
    for machine in ("x86_64", "aarch64"):
        flags = f"--no-config --dry-run --only-binary=:all: --require-hashes --python-platform={machine}-manylinux_2_28"
        lock = f"--requirements={ROOT / 'requirements/runtime.lock'}"
        command = [uv.stdout.strip(), "pip", "install", *flags.split(), f"--python={sys.executable}", lock]
        where = [f"--target={tmp_path}", f"--python-version={python}"]
        done = subprocess.run([*command, *where], env=DOWNLOAD, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_image_shared_objects_find_their_libraries(image: Path) -> None:
    files = [path for path in image.rglob("*") if ".so" in path.name and path.is_file() and not path.is_symlink()]
    loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    for path in files:
        command = [str(CHROOT), str(image), loader, "--list", f"/{path.relative_to(image)}"]
        done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(files) > 80


def test_image_has_release_packages_and_licenses_of_debian(image: Path) -> None:
    packages = {path.name: path.read_text() for path in (image / "var/lib/dpkg/status.d").iterdir()}

    assert 'VERSION_ID="13"' in (image / "etc/os-release").read_text()
    assert "\nVersion: 3.13." in packages["python3.13-minimal"]
    assert all("\nVersion: " in control for control in packages.values())
    assert [name for name in packages if not (image / "usr/share/doc" / name / "copyright").exists()] == []


def test_image_modules_are_compiled_and_independent_of_times(image: Path) -> None:
    """Flags 1: a hash of the source that the interpreter does not check, as files of an image do not change."""
    modules = [path for path in image.rglob("*.py") if "tests" not in path.parts]
    compiled = {path: path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in modules}

    assert [path for path, pyc in compiled.items() if not path.is_symlink() and not pyc.exists()] == []
    assert {pyc.read_bytes()[4:8] for pyc in compiled.values() if pyc.exists()} == {b"\1\0\0\0"}
    assert not any(str(image.parent).encode() in pyc.read_bytes() for pyc in compiled.values() if pyc.exists())


def test_image_has_no_shell_package_manager_or_compiler(image: Path) -> None:
    programs = [
        path.name for path in image.rglob("*") if path.is_file() and os.access(path, os.X_OK) and is_program(path)
    ]

    assert sorted(programs) == ["python3.13", "skywalking-bridge", "skywalking-bridge"]
    assert not list((image / "usr/lib/python3").rglob("pip"))


def is_program(path: Path) -> bool:
    with path.open("rb") as file:
        is_elf = file.read(4) == b"\x7fELF"
    return is_elf and ".so" not in path.name


def test_image_files_are_not_writable_and_not_setuid(image: Path) -> None:
    open_to_all = [path for path in image.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o002]
    in_disguise = [path for path in image.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]

    assert open_to_all == [image / "tmp"]
    assert in_disguise == []


def test_image_condition_evaluator_is_precompiled(image: Path) -> None:
    assert len(list(image.rglob("skywalking_provider/conditions/expr/expr-*.cwasm"))) == 1


def test_image_bridge_command_installs_the_bridge(image: Path, shared: Path) -> None:
    done = run(
        image,
        "skywalking-provider",
        "bridge",
        "--to",
        "/run/skywalking/skywalking-bridge",
        mounts={"/run/skywalking": shared},
    )

    assert done.returncode == 0, done.stderr
    bridge = shared / "skywalking-bridge"
    assert f"sha256:{hashlib.sha256(bridge.read_bytes()).hexdigest()}" in done.stdout
    assert bridge.stat().st_uid == 999
    output = subprocess.run([bridge, "--version"], capture_output=True, text=True, check=True).stdout
    assert output.startswith(f"skywalking-bridge {__version__} (contract 1, argo-rollouts v1.10.2")


def test_image_bridges_are_static_binaries(image: Path) -> None:
    for arch, machine in (("amd64", 62), ("arm64", 183)):
        header = (image / "opt/bridge" / __version__ / f"linux-{arch}" / "skywalking-bridge").read_bytes()[:0x1000]
        assert int.from_bytes(header[18:20], "little") == machine
        assert b"/ld-linux" not in header


CEL = {
    "name": "success-rate",
    "provider": {
        "plugin": {
            "skywalking/metrics": METRIC["provider"]["plugin"]["skywalking/metrics"]
            | {"conditions": {"language": "cel", "success": "result >= 0.99"}}
        }
    },
}
RUN = {"metadata": {"namespace": "bookinfo", "name": "reviews"}, "spec": {}}


@pytest.mark.parametrize("metric", [METRIC, CEL], ids=["expr", "cel"])
async def test_image_read_only_as_user_999_measures_through_its_bridge(
    image: Path, tmp_path: Path, shared: Path, metric: dict[str, Any]
) -> None:
    async with MockOap("healthy-canary") as oap:
        config = {
            "apiVersion": "v1",
            "socket": "/run/skywalking/provider.sock",
            "log": {"format": "json"},
            "backends": {"mock": {"url": oap.url}},
        }
        with service(image, tmp_path, config, shared) as process:
            assert process.stderr
            first = json.loads(process.stderr.readline())
            assert first["msg"] == "ready", first
            healthy = json.loads(instruction("HEALTHCHECK")[0].split("CMD ")[1])
            mounts = {"/run/skywalking": shared}
            health = run(image, *healthy, mounts=mounts)
            assert (health.stdout, health.stderr) == ("SERVING\n", "")
            assert (
                run(image, "skywalking-provider", "bridge", "--to", "/run/skywalking/b", mounts=mounts).returncode == 0
            )

            host = ROOT / ".cache" / "bin" / "argo-host"
            socket = f"--socket={shared / 'provider.sock'}"
            async with run_argo_host(host, shared / "b", tmp_path / "host.log", socket) as argo:
                response = await argo.request("loop", run=RUN, metric=metric)

    measurement = response["measurement"]
    assert measurement["phase"] == "Successful", measurement


def test_image_user_cannot_change_the_image(image: Path) -> None:
    tries = "import os; print(os.getuid(), os.getgid()); open('/usr/bin/x', 'w')"
    done = subprocess.run(
        container_command(image, {}, "python3.13", "-c", tries),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "999 999\n"
    assert "Read-only file system" in done.stderr


def test_image_bridge_starts_without_a_libc(image: Path) -> None:
    """Run the bridge in a root that contains only the bridge, because Argo's image has no libc and no shell."""
    bridge = image / "opt/bridge" / __version__ / "linux-amd64" / "skywalking-bridge"
    done = subprocess.run(
        [str(CHROOT), "--userspec=999:0", bridge.parent, "/skywalking-bridge", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("skywalking-bridge")
