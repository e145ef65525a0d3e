"""Whether a process stays as large as it is."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one moment."""

    at: float
    """Seconds since the soak began."""
    pid: int
    resident_mib: float
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int, at: float) -> "Sample":
        """Take one; ProcessLookupError or FileNotFoundError if there is no such process any more."""
        home = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (home / "status").read_text().splitlines() if ":" in line)
        if "VmRSS" not in status:
            raise ProcessLookupError(pid)
        return cls(
            at=at,
            pid=pid,
            resident_mib=int(status["VmRSS"].split()[0]) / 1024,
            files=len(list((home / "fd").iterdir())),
            threads=int(status["Threads"]),
        )


@dataclass(frozen=True, slots=True)
class Growth:
    """How much something grew in the time of the samples, and how much it may."""

    what: str
    begins: float
    grows: float
    bound: float

    @property
    def steady(self) -> bool:
        """Whether it stays within the bound."""
        return self.grows <= self.bound


def growths(samples: Sequence[Sample]) -> Iterator[Growth]:
    """What grew: memory by no more than 8 MiB and a twentieth, files and threads by no more than 8.

    Memory is judged by a line through the samples. Files and threads come and go with the weather, as connections do,
    up to a number: the ninth tenth of them in the last third of the time is compared with that in the first.
    """
    times = [sample.at for sample in samples]
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
