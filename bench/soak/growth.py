"""Growth of a process: memory, open files and threads, compared with a bound."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """The size of a process at one moment.

    Attributes:
        elapsed_seconds: Seconds since the start of the soak test.
        pid: Process id.
        resident_mib: Resident memory in MiB.
        files: Number of open files.
        threads: Number of threads.
    """

    elapsed_seconds: float
    pid: int
    resident_mib: float
    files: int
    threads: int

    @classmethod
    def take(cls, pid: int, elapsed_seconds: float) -> "ProcessSample":
        """Read the sample from /proc.

        Raises:
            ProcessLookupError: The process has ended.
            FileNotFoundError: The process has ended.
        """
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
    """Increase of one resource over the samples, and the allowed increase."""

    resource: str
    initial: float
    increase: float
    bound: float

    @property
    def within_bound(self) -> bool:
        """Return whether the increase is allowed."""
        return self.increase <= self.bound


def measure_growth(samples: Sequence[ProcessSample]) -> Iterator[Growth]:
    """Yield the growth of memory, open files and threads.

    - Memory: the increase of the regression line through the samples. Bound: 8 MiB plus 5 % of the initial value.
    - Files and threads vary with the injected faults, as connections do. Their increase is the 90th percentile of the
      last third of the samples less that of the first third. Bound: 8.
    """
    times = [sample.elapsed_seconds for sample in samples]
    slope, intercept = statistics.linear_regression(times, [sample.resident_mib for sample in samples])
    initial = intercept + slope * times[0]
    yield Growth("resident MiB", initial, slope * (times[-1] - times[0]), 8.0 + 0.05 * initial)
    for resource, values in (
        ("files", [sample.files for sample in samples]),
        ("threads", [sample.threads for sample in samples]),
    ):
        third = len(values) // 3
        first, last = (statistics.quantiles(part, n=10)[-1] for part in (values[:third], values[-third:]))
        yield Growth(resource, first, last - first, 8.0)
