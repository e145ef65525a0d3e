"""Whether a process stays as large as it is."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """A process at one moment."""

    elapsed_seconds: float
    """Seconds since the soak began."""
    pid: int
    resident_mib: float
    files: int
    threads: int

    @classmethod
    def take(cls, pid: int, elapsed_seconds: float) -> "ProcessSample":
        """Take one; ProcessLookupError or FileNotFoundError if there is no such process any more."""
        home = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines() if ":" in line)
        if "VmRSS" not in status:
            raise ProcessLookupError(pid)
        return cls(
            elapsed_seconds=elapsed_seconds,
            pid=pid,
            resident_mib=int(status["VmRSS"].split()[0]) / 1024,
            files=len(list((home / "fd").iterdir())),
            threads=int(status["Threads"]),
        )


@dataclass(frozen=True, slots=True)
class Growth:
    """How much something grew in the time of the samples, and how much it may."""

    resource: str
    initial: float
    increase: float
    bound: float

    @property
    def within_bound(self) -> bool:
        """Whether it stays within the bound."""
        return self.increase <= self.bound


def measure_growth(samples: Sequence[ProcessSample]) -> Iterator[Growth]:
    """What grew: memory by no more than 8 MiB and a twentieth, files and threads by no more than 8.

    Memory is judged by a line through the samples. Files and threads come and go with the weather, as connections do,
    up to a number: the ninth tenth of them in the last third of the time is compared with that in the first.
    """
    times = [sample.elapsed_seconds for sample in samples]
    slope, intercept = statistics.linear_regression(times, [sample.resident_mib for sample in samples])
    begins = intercept + slope * times[0]
    yield Growth("resident MiB", begins, slope * (times[-1] - times[0]), 8.0 + 0.05 * begins)
    for what, values in (
        ("files", [sample.files for sample in samples]),
        ("threads", [sample.threads for sample in samples]),
    ):
        third = len(values) // 3
        first, last = (statistics.quantiles(some, n=10)[-1] for some in (values[:third], values[-third:]))
        yield Growth(what, first, last - first, 8.0)
