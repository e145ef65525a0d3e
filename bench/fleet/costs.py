"""Costs of one measurement, from the raw rows of `make bench`. A figure that they lack has a value with its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType
from typing import Any, Final

from bench import statistics
from bench.statistics import Raw, select

OAP_MS: Final = 20.0  # of the static OAP of bench/scenarios.py, as are the next two
OAP_WORKERS: Final = 16
SHARED_SERVICES: Final = 50
_WAITING: Final = 1000  # measurements in flight in the memory scenario


@dataclass(frozen=True, slots=True)
class Assumption:
    """A cost that the raw rows lack.

    Attributes:
        value: The cost.
        source: Where it was measured.
    """

    value: float
    source: str


ASSUMPTIONS: Final[Mapping[str, Assumption]] = MappingProxyType(
    {
        "thresholdedLookMs": Assumption(0.55, "docs/performance.md, judged looks, measured on 2026-11-30"),
        "judgedLookMs": Assumption(1.98, "docs/performance.md, judged looks, measured on 2026-11-30"),
    }
)
"""Used only while the file has no scenario `judged`."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured costs. CPU times are those of the service's process, in milliseconds.

    Attributes:
        uncached_ms: CPU time of a measurement that sends its own OAP request, called through the bridge.
        shared_ms: CPU time of a measurement whose verdict or response is cached.
        judged_extra_ms: CPU time of a judged look beyond that of a thresholded one.
        caller_ms: Latency of a call to a plugin that does nothing: Argo's side of a measurement.
        oap_ms: The OAP's own service time of a request without a queue.
        reads: OAP requests for the five metrics of one service in one minute.
        idle_mib: Resident memory after a load, without a measurement in flight.
        in_flight_mib: Resident memory of one more measurement in flight.
        startup_seconds: Time from the start of the process until SERVING.
        assumed: Names of the assumptions that were used.
        scenario: Scenario of the first two.
    """

    uncached_ms: float
    shared_ms: float
    judged_extra_ms: float
    caller_ms: float
    oap_ms: float
    reads: int
    idle_mib: float
    in_flight_mib: float
    startup_seconds: float
    assumed: Sequence[str] = ()
    scenario: str = "rates"


def read_costs(raw: Raw) -> Costs:
    """Return the costs of a service beside its bridge, which sends the measurements by a stream."""
    looks, assumed = _read_looks(raw)
    loaded = [row for row in select(raw["memory"], backend="default configuration") if row["loaded"]]
    return Costs(
        uncached_ms=statistics.cpu_ms_per_measurement(raw, "provider", "uncached"),
        shared_ms=statistics.cpu_ms_per_measurement(raw, "provider", "shared"),
        judged_extra_ms=looks["judgedLookMs"] - looks["thresholdedLookMs"],
        caller_ms=statistics.latency_ms(raw, "echo", 1, "p50"),
        oap_ms=statistics.oap_time_ms(raw, 1, "p50"),
        reads=_count_reads(raw),
        idle_mib=median(row["initialMiB"] for row in loaded),
        in_flight_mib=median((row["peakMiB"] - row["initialMiB"]) / _WAITING for row in loaded),
        startup_seconds=statistics.median_of_rows(raw["startup"], lambda row: row["seconds"]),
        assumed=assumed,
    )


def read_replica_costs(raw: Raw) -> Costs:
    """Return the costs of a replica, which is called for each measurement; without such rows, those of a stream."""
    costs, rows = read_costs(raw), select(raw.get("replicas", ()), replicas=1)
    if not rows:
        return costs
    uncached, shared = (statistics.cpu_ms(select(rows, workload=name)) for name in ("uncached", "shared"))
    return replace(costs, uncached_ms=uncached, shared_ms=shared, scenario="replicas")


def _read_looks(raw: Raw) -> tuple[Mapping[str, float], Sequence[str]]:
    cpu: Mapping[str, Any] | None = raw.get("judged", {}).get("cpuMs")
    if cpu is not None:
        return {"thresholdedLookMs": cpu["thresholded"], "judgedLookMs": cpu["judged"]}, ()
    return {name: one.value for name, one in ASSUMPTIONS.items()}, tuple(ASSUMPTIONS)


def _count_reads(raw: Raw) -> int:
    rows = select(raw["burst"], system="provider")
    return round(statistics.median_of_rows(rows, lambda row: row["oap"]["requests"]["read"] / SHARED_SERVICES))
