"""Resident memory of the talk's processes, by part."""

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PARTS = {"python": "talk and service", "java": "OAP", "argocd": "Argo CD", "redis": "Redis"}


def read_memory() -> dict[str, float]:
    """Return the resident memory of all processes of the node in MiB, by part.

    The node has its own process ids, so /proc contains the talk's processes only.
    """
    total: dict[str, float] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            pages = int((process / "statm").read_text().split()[1])
            name = (process / "exe").readlink().name.removesuffix(" (deleted)")
        except (OSError, IndexError):
            continue  # the process has ended
        part = next((text for prefix, text in _PARTS.items() if name.startswith(prefix)), name)
        total[part] = total.get(part, 0.0) + pages * _PAGE_BYTES / 2**20
    return total


def keep_peaks(peaks: dict[str, float], now: dict[str, float]) -> None:
    """Raise the peaks to the memory now; `sum` is the peak of the sum."""
    for part, size in (*now.items(), ("sum", sum(now.values()))):
        peaks[part] = max(peaks.get(part, 0.0), size)
