"""Memory and open files of bridge and sidecar over ten thousand measurements."""

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
SAMPLE_EVERY = 1_000
WARM_UP = 4_000  # pools, caches and heaps have reached their size by then
MAX_GROWTH_MIB = 4  # 700 bytes per run; the variation without a leak is below 1 MiB
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProcessSize:
    """Size of a process: resident memory in MiB and number of open files."""

    resident_mib: float
    files: int

    @classmethod
    def read(cls, pid: int) -> "ProcessSize":
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * 4096 / MIB, len(list(Path(f"/proc/{pid}/fd").iterdir())))


@contextmanager
def start_argo_host(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """Start Argo's own plugin client, which reads and writes lines of JSON."""
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
            host.terminate()  # it also ends its plugin


def build_request(number: int, service: str) -> str:
    """Build the request of the reference measurement. Each block differs, so a cache without a bound would grow."""
    [metric] = reference_analysis()["spec"]["metrics"]
    metric["provider"]["plugin"][PLUGIN]["query"] += f"# {number}\n"
    run = {
        "metadata": {"name": f"run-{number}", "namespace": "bookinfo", "uid": f"uid-{number}"},
        "spec": {"args": [{"name": "service-name", "value": service}]},
    }
    return json.dumps({"id": number, "op": "run", "run": run, "metric": metric}) + "\n"


def read_phases(host: subprocess.Popen[str], count: int) -> list[str]:
    """Read this many responses and return their phases."""
    output: IO[str] | None = host.stdout
    assert output is not None
    return [json.loads(output.readline())["measurement"]["phase"] for _ in range(count)]


def test_ten_thousand_measurements_leak_no_memory_and_no_files(lab: Lab, report_progress: ProgressReporter) -> None:
    service = "canary|reviews|leaks|cluster-1|-"
    lab.feed_and_wait(service, "good")
    sidecar = lab.pid("sidecar")
    history: list[tuple[ProcessSize, ProcessSize]] = []
    with start_argo_host(lab) as host:
        assert host.stdin is not None
        for first in range(0, RUNS, SAMPLE_EVERY):
            for batch in range(first, first + SAMPLE_EVERY, IN_FLIGHT):
                numbers = range(batch, min(batch + IN_FLIGHT, first + SAMPLE_EVERY))
                host.stdin.writelines(build_request(number, service) for number in numbers)
                host.stdin.flush()
                assert read_phases(host, len(numbers)) == ["Successful"] * len(numbers)
            [bridge] = child_pids(host.pid)
            history.append((ProcessSize.read(bridge), ProcessSize.read(sidecar)))
            by_name = zip(("bridge", "sidecar"), history[-1], strict=True)
            sizes = ", ".join(f"{name} {one.resident_mib:.1f} MiB {one.files} files" for name, one in by_name)
            report_progress(f"{first + SAMPLE_EVERY} runs: {sizes}")

    for name, column in zip(("bridge", "sidecar"), zip(*history, strict=True), strict=True):
        warm = column[WARM_UP // SAMPLE_EVERY - 1 :]
        growth = warm[-1].resident_mib - warm[0].resident_mib
        assert growth < MAX_GROWTH_MIB, f"{name} grew: {[round(one.resident_mib, 1) for one in warm]} MiB"
        # The number of connections to OAP varies by a few. One leaked file per run would add thousands.
        assert warm[-1].files - warm[0].files <= 5, f"{name} keeps files: {[one.files for one in warm]}"
