"""CPU time of a measurement by stage: py-spy samples the stacks of the service, with native frames, under a load."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cpu_affinity import cpu_seconds, kernel_seconds
from bench.scenarios import Bench, Row
from bench.soak.memory import child_pids
from bench.stages import count_stages

_RATE = 100  # samples per second; each pauses the process
_PY_SPY = Path(sys.executable).with_name("py-spy")


def measure_stages(bench: Bench) -> list[Row]:
    """(i) Measure the CPU time of an uncached measurement by stage, with 1 and 30 in flight."""
    rows = []
    for in_flight, delay_ms in ((1, 20.0), (30, 0.0)):
        with bench.start_service() as service, bench.start_callers(service, "provider") as callers:
            bench.oap.configure(delay_ms=delay_ms, workers=0)
            bench.warm_up(callers)
            [bridge] = child_pids(callers["provider"].pid)
            for repetition in bench.repeat(f"stages, {in_flight} in flight"):
                before = _read_cpu_times(service.pid, bridge)
                load = {"workers": in_flight, "metrics": 1, "seconds": 2 * bench.seconds}
                with sample_stages(service.pid) as samples:
                    result = bench.run_uncached_load(callers["provider"], load)
                used = {name: at - before[name] for name, at in _read_cpu_times(service.pid, bridge).items()}
                row = {"inFlight": in_flight, "repetition": repetition, "samples": samples, "cpuSecondsByPart": used}
                rows.append(row | result)
    return rows


def _read_cpu_times(service: int, bridge: int) -> dict[str, float]:
    return {"service": cpu_seconds(service), "kernel": kernel_seconds(service), "bridge": cpu_seconds(bridge)}


@contextmanager
def sample_stages(pid: int) -> Iterator[Counter[str]]:
    """Sample the stacks of a process while the context is open, and count the stages at its end.

    Raises:
        SystemExit: py-spy could not read the process.
    """
    stages: Counter[str] = Counter()
    with TemporaryDirectory(prefix="bench-") as folder:
        output = Path(folder, "stacks")
        command = [_PY_SPY, "record", "--native", "--rate", str(_RATE), "--format", "raw", "--output", output]
        process = subprocess.Popen([*command, "--pid", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield stages
        finally:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        if not output.exists():
            raise SystemExit(f"bench: py-spy failed: {errors.decode().strip()}. Run the benchmark as root.")
        stages.update(count_stages(output.read_text().splitlines()))
