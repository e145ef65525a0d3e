"""CPU cores of a benchmark, CPU time and memory of its processes, and a description of the machine."""

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SHIPPED_PYTHON = ROOT / ".cache/shipped/bin/python"
"""The image's Python interpreter with the packages of requirements/runtime.lock, installed by `make bench`."""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """Core lists of the parts of a benchmark, in the format of `taskset -c`.

    The service has its own core. With two cores, its caller shares the other one with the OAP, and the compared systems
    may use both. No compared system has less CPU time than this provider.

    Attributes:
        service: Core of the service.
        oap: Core of the static OAP.
        provider_caller: Cores of the callers of this provider.
        peers: Cores of the compared systems.
    """

    service: str
    oap: str
    provider_caller: str
    peers: str


def assign_cores() -> Cores:
    """Assign the cores that this process may use.

    Raises:
        SystemExit: Only one core is available.
    """
    available = [str(core) for core in sorted(os.sched_getaffinity(0))]
    if len(available) < 2:
        raise SystemExit(
            "bench: 1 core available, 2 needed: the service needs its own. Use a larger machine or cpuset."
        )
    first, second, *others = available
    return Cores(service=first, oap=second, provider_caller=",".join(others) or second, peers=",".join(available))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def kernel_seconds(pid: int) -> float:
    """Return the part of a process's CPU time that the kernel used for it, in seconds."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[12]) / _TICKS


def resident_mib(pid: int, *, peak: bool = False) -> float:
    """Return the resident memory of a process in MiB, or its peak since `reset_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(rf"^{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status, re.MULTILINE)
    if not match:
        raise ProcessLookupError(pid)
    return int(match[1]) / 1024


def reset_peak(pid: int) -> None:
    """Reset the peak of the resident memory of a process."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def describe_machine() -> dict[str, Any]:
    """Return the hardware, the versions and the date for the results."""
    cpus = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    built = _run_command("go", "version", "-m", ROOT / ".cache/bin/argo-bench")
    go, argo = (
        re.findall(pattern, built)[0] for pattern in (r": go(\S+)", r"github.com/argoproj/argo-rollouts\s+v(\S+)")
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _run_command("git", "describe", "--always", "--dirty"),
        "processor": f"{len(cpus)} x {cpus[0] if cpus else platform.machine()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0],
        **_shipped_versions(),
        "go": go,
        "argo-rollouts": argo,
    }


def _shipped_versions() -> dict[str, str]:
    packages = ("grpcio", "aiohttp", "uvloop", "wasmtime")
    program = (
        "import json, platform; from importlib.metadata import version;"
        f"print(json.dumps({{'python': platform.python_version()}} | {{name: version(name) for name in {packages}}}))"
    )
    versions: dict[str, str] = json.loads(_run_command(SHIPPED_PYTHON, "-c", program))
    return versions


def _run_command(*command: str | Path) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
