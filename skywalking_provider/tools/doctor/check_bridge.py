"""Check of the bridge binary: whether it starts on this machine, and its contract version."""

import asyncio
import errno
import os
import re
from pathlib import Path

from skywalking_provider import __version__
from skywalking_provider.contract import CONTRACT_VERSION
from skywalking_provider.tools.doctor.findings import Finding, Section, note, ok, problem

_TIMEOUT_SECONDS = 5.0
_VERSION = re.compile(r"skywalking-bridge (?P<version>\S+) \(contract (?P<contract>\d+)[^)]*\)")
_REINSTALL_HINT = "Copy it again: skywalking-provider bridge --to PATH, or make build"


async def check_bridge(path: Path) -> Section:
    """Run the binary with `--version`, which makes no connection."""
    absolute = Path.cwd() / path  # a name without a folder would be searched in PATH
    return Section("bridge", str(path), (_file_problem(absolute) or await _version_finding(absolute),))


def _file_problem(path: Path) -> Finding | None:
    if not path.exists():
        return problem("the file does not exist", _REINSTALL_HINT)
    if not path.is_file():
        return problem("it is not a file", _REINSTALL_HINT)
    if not os.access(path, os.X_OK):
        return problem("it is not executable", f"Run chmod 0755 {path}, on a volume that is not mounted noexec")
    return None


async def _version_finding(path: Path) -> Finding:
    try:
        code, text = await _read_version(path)
    except TimeoutError:
        return problem(f"it did not print its version within {_TIMEOUT_SECONDS:.0f} s", _REINSTALL_HINT)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            return problem(f"it is not a program for this machine ({os.uname().machine})", _REINSTALL_HINT)
        return problem(f"it does not start ({error.strerror})", _REINSTALL_HINT)
    match = _VERSION.match(text)
    if code != 0 or match is None:
        return problem(f"it is not a skywalking-bridge: it printed {text[:60]!r}, exit code {code}", _REINSTALL_HINT)
    if match["contract"] != CONTRACT_VERSION.split(".")[0]:
        return problem(
            f"{match[0]}; this service has contract {CONTRACT_VERSION}", "Upgrade bridge and service together"
        )
    if match["version"] != __version__:
        return note(f"{match[0]}; this service is {__version__}", "Upgrade them together")
    return ok(match[0])


async def _read_version(path: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        path,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode, output.decode("utf-8", "replace").strip()
