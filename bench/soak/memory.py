"""Memory of the service and its condition workers, compared with the memory limit of the chart."""

from dataclasses import dataclass
from pathlib import Path

CHART_LIMIT_MIB = 512
"""`resources.limits.memory` of the chart. The kernel kills a container that exceeds it."""


@dataclass(slots=True)
class MemoryPeaks:
    """Largest memory seen.

    Attributes:
        service_mib: Peak of the resident memory of the service process (VmHWM).
        container_mib: Largest sum over the service and its children, with shared pages counted once (PSS).
    """

    service_mib: float = 0.0
    container_mib: float = 0.0

    def sample(self, pid: int) -> None:
        """Read the memory of a service from /proc. Processes that end meanwhile are left out."""
        self.service_mib = max(self.service_mib, _read_kib(Path(f"/proc/{pid}/status"), "VmHWM:") / 1024)
        sizes = [_read_kib(Path(f"/proc/{one}/smaps_rollup"), "Pss:") for one in (pid, *child_pids(pid))]
        self.container_mib = max(self.container_mib, sum(sizes) / 1024)

    def violations(self) -> list[str]:
        """Return the peaks that exceed the limit of the chart."""
        peaks = {"the service": self.service_mib, "the service with its workers": self.container_mib}
        return [
            f"{name} used {peak:.0f} MiB, limit {CHART_LIMIT_MIB} MiB (chart)"
            for name, peak in peaks.items()
            if peak > CHART_LIMIT_MIB
        ]


def child_pids(pid: int, command: str = "") -> list[int]:
    """Return the children of a process whose command line contains a text."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in children.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [child for child in found if command in _read_command(child)]


def _read_command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _read_kib(path: Path, field: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)
