"""Ten thousand measurements leave nothing behind in the bridge and in the sidecar."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.e2e.lab import PLUGIN, ROOT, Lab, ProgressReporter, child_pids
from tests.e2e.manifests import reference_analysis

RUNS = 10_000
IN_FLIGHT = 30  # the controller's analysis workers
EVERY = 1_000
WARM = 4_000  # pools, caches and the garbage collectors have found their size by then
GROWTH_MIB = 4  # 700 bytes a run; what comes and goes by itself is below one
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds: resident memory in MiB and open files."""

    rss: float
    files: int

    @classmethod
    def of(cls, pid: int) -> "Footprint":
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * 4096 / MIB, len(list(Path(f"/proc/{pid}/fd").iterdir())))


@contextmanager
def argo_host(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """Argo's own plugin client, spoken to by lines of JSON."""
    binaries = ROOT / ".cache/bin"
    command = [str(binaries / "argo-host"), "--plugin-binary", str(binaries / "skywalking-bridge")]
    command += ["--plugin-name", PLUGIN, "--arg", f"--socket={lab.socket}"]
    with (
        (lab.folder / "argo-host.log").open("w") as log,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True) as host,
    ):
        try:
            yield host
        finally:
            host.terminate()  # it ends its plugin


def request(number: int, service: str) -> str:
    """The talk's measurement; no two blocks are alike, as no cache may grow with what it has seen."""
    [metric] = reference_analysis()["spec"]["metrics"]
    metric["provider"]["plugin"][PLUGIN]["query"] += f"# {number}\n"
    run = {
        "metadata": {"name": f"run-{number}", "namespace": "bookinfo", "uid": f"uid-{number}"},
        "spec": {"args": [{"name": "service-name", "value": service}]},
    }
    return json.dumps({"id": number, "op": "run", "run": run, "metric": metric}) + "\n"


def answers(host: subprocess.Popen[str], count: int) -> list[str]:
    """The phases of so many answers."""
    out: IO[str] | None = host.stdout
    assert out is not None
    return [json.loads(out.readline())["measurement"]["phase"] for _ in range(count)]


def test_ten_thousand_measurements_leave_memory_and_files_as_they_were(
    lab: Lab, report_progress: ProgressReporter
) -> None:
    service = "canary|reviews|leaks|cluster-1|-"
    lab.feed_and_wait(service, "good")
    sidecar = lab.pid("sidecar")
    history: list[tuple[Footprint, Footprint]] = []
    with argo_host(lab) as host:
        assert host.stdin is not None
        for first in range(0, RUNS, EVERY):
            for batch in range(first, first + EVERY, IN_FLIGHT):
                numbers = range(batch, min(batch + IN_FLIGHT, first + EVERY))
                host.stdin.writelines(request(number, service) for number in numbers)
                host.stdin.flush()
                assert answers(host, len(numbers)) == ["Successful"] * len(numbers)
            [bridge] = child_pids(host.pid)
            history.append((Footprint.of(bridge), Footprint.of(sidecar)))
            by_name = zip(("bridge", "sidecar"), history[-1], strict=True)
            seen = ", ".join(f"{name} {one.rss:.1f} MiB {one.files} files" for name, one in by_name)
            report_progress(f"{first + EVERY} runs: {seen}")

    for name, column in zip(("bridge", "sidecar"), zip(*history, strict=True), strict=True):
        warm = column[WARM // EVERY - 1 :]
        assert warm[-1].rss - warm[0].rss < GROWTH_MIB, f"{name} grew: {[round(one.rss, 1) for one in warm]} MiB"
        # A connection more or less to OAP is no leak; a file a run would be thousands.
        assert warm[-1].files - warm[0].files <= 5, f"{name} keeps files: {[one.files for one in warm]}"
