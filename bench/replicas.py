"""One bridge with 1, 2 and 4 replicas of the service: CPU time and OAP requests of a measurement.

The replicas have loopback addresses of one name, which the bridge resolves as that of a headless Service. All run on
the core of the service, so their number does not raise the rate: it shows what a replica costs.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench import processes
from bench.cpu_affinity import cpu_seconds
from bench.live_comparison import find_free_ports
from bench.scenarios import (
    ARGO_LOAD,
    BURST_LOAD,
    BURST_SECONDS,
    METRICS,
    SERVICES,
    SHARED_LOAD,
    Bench,
    Row,
    wait_for_minute_start,
)
from bench.soak.memory import child_pids

COUNTS: Final = (1, 2, 4)
_UNCACHED: Final = {**ARGO_LOAD, "services": SERVICES, "offset": SERVICES * METRICS}
"""Queries of which the burst, with the first windows, has none."""
_WARM_UP: Final = {**ARGO_LOAD, "seconds": 0.5, "services": SERVICES, "offset": 9 * SERVICES * METRICS}
"""Opens all connections and compiles the conditions, with windows that no shared load has."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Replicas behind one bridge.

    Attributes:
        pids: Process ids of the replicas.
        bridge: Process id of the bridge.
        caller: Caller of the bridge.
    """

    pids: Sequence[int]
    bridge: int
    caller: processes.Caller

    def cpu_times(self) -> tuple[float, float]:
        """Return the CPU time of all replicas and of the bridge, in seconds."""
        return sum(map(cpu_seconds, self.pids)), cpu_seconds(self.bridge)


def measure_replicas(bench: Bench) -> list[Row]:
    """(l) Measure a burst on empty caches, and the uncached and shared rates, with 1, 2 and 4 replicas."""
    rows = []
    for count in COUNTS:
        bench.report_progress(f"replicas, {count}")
        with TemporaryDirectory(prefix="bench-") as folder:
            with _start_replicas(bench, Path(folder), count) as replicas:
                measured = list(_measure_workloads(bench, replicas))
            spread = [count_measurements(Path(folder, str(at), processes.SERVICE_LOG)) for at in range(count)]
        rows += [{"replicas": count, "measurementsByReplica": spread} | one for one in measured]
    return rows


def count_measurements(log: Path) -> int:
    """Return the number of measurements in the log of a replica that has ended."""
    with log.open() as lines:
        return sum('"analysisrun":' in line for line in lines)


def _measure_workloads(bench: Bench, replicas: Replicas) -> Iterator[Row]:
    burst, shared = BURST_LOAD, ARGO_LOAD | SHARED_LOAD | {"seconds": bench.seconds}
    bench.oap.configure()
    wait_for_minute_start(BURST_SECONDS)
    yield _measure_load(bench, replicas, "burst", burst)
    bench.oap.configure(delay_ms=0, workers=0)
    yield _measure_load(bench, replicas, "uncached", _UNCACHED | {"seconds": bench.seconds})
    replicas.caller.run_load(shared | {"seconds": 0.5})  # fills the caches
    bench.oap.configure(delay_ms=0, workers=0)
    yield _measure_load(bench, replicas, "shared", shared)


def _measure_load(bench: Bench, replicas: Replicas, workload: str, load: processes.LoadSettings) -> Row:
    before = replicas.cpu_times()
    result = replicas.caller.run_load(load)
    service, bridge = (at - start for at, start in zip(replicas.cpu_times(), before, strict=True))
    row = {"workload": workload, "serviceCpuSeconds": service, "bridgeCpuSeconds": bridge}
    return row | result | {"oap": bench.oap.fetch_statistics()}


@contextmanager
def _start_replicas(bench: Bench, folder: Path, count: int) -> Iterator[Replicas]:
    hosts = [f"127.0.0.{2 + at}" for at in range(count)]
    (port,) = find_free_ports(1)
    with ExitStack() as stack:
        bench.oap.configure(delay_ms=0, workers=0)
        pids = []
        for at, host in enumerate(hosts):
            home = folder / str(at)
            home.mkdir()
            replica = processes.start_replica(bench.cores, home, bench.oap.url, f"{host}:{port}")
            pids.append(stack.enter_context(replica).pid)
        names = stack.enter_context(processes.start_name_server(bench.cores, hosts))
        target = f"dns://{names}/provider.bench:{port}"
        start = processes.start_caller(bench.cores, "provider", url=bench.oap.url, socket=Path(), replicas=target)
        caller = stack.enter_context(start)
        caller.run_load(_WARM_UP)
        (bridge,) = child_pids(caller.pid)
        yield Replicas(pids, bridge, caller)
