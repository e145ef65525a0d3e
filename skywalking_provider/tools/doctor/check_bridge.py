"""The bridge's binary: does it start here, and does it speak the contract of this version?"""

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
_REINSTALL_HINT = "deliver it again: skywalking-provider bridge --to PATH, or make build"


async def check_bridge(path: Path) -> Section:
    """Start it with --version, which connects nowhere."""
    absolute = Path.cwd() / path  # a bare name would be looked for in PATH
    return Section("bridge", str(path), (_file_problem(absolute) or await _version_finding(absolute),))


def _file_problem(path: Path) -> Finding | None:
    if not path.exists():
        return problem("there is no such file", _REINSTALL_HINT)
    if not path.is_file():
        return problem("it is no file", _REINSTALL_HINT)
    if not os.access(path, os.X_OK):
        return problem("it may not be executed", f"chmod 0755 {path}, on a volume that is not mounted noexec")
    return None


async def _version_finding(path: Path) -> Finding:
    try:
        code, text = await _read_version(path)
    except TimeoutError:
        return problem(f"it did not tell its version within {_TIMEOUT_SECONDS:.0f} s", _REINSTALL_HINT)
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            return problem(f"it is no program for this machine ({os.uname().machine})", _REINSTALL_HINT)
        return problem(f"it does not start ({error.strerror})", _REINSTALL_HINT)
    told = _VERSION.match(text)
    if code != 0 or told is None:
        return problem(f"it is no skywalking-bridge: it answered {text[:60]!r}, exit code {code}", _REINSTALL_HINT)
    if told["contract"] != CONTRACT_VERSION.split(".")[0]:
        return problem(
            f"{told[0]}; this service speaks contract {CONTRACT_VERSION}", "upgrade bridge and service together"
        )
    if told["version"] != __version__:
        return note(f"{told[0]}; this service is {__version__}", "upgrade them together when you can")
    return ok(told[0])


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
