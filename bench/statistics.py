"""Figures of a benchmark from its raw rows: medians of the repetitions and ratios between systems. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = dict[str, Any]
Raw = dict[str, Any]

LEVELS = (1, 30, 200)
TARGET_SCENARIOS = frozenset({"latency", "rates", "burst", "memory", "startup", "conditions", "hostile", "judged"})
"""Scenarios whose figures have targets."""


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the targets.

    Attributes:
        name: Name of the figure.
        measured: Measured value.
        floor: Required value.
        stretch: Desired value; empty without one.
        met: Whether the measured value meets the floor.
    """

    name: str
    measured: str
    floor: str
    stretch: str
    met: bool


def evaluate_targets(raw: Raw) -> list[Target]:
    """Compare all measured figures with their targets."""
    p50, p99 = added_latency_ms(raw, "provider", 1, "p50"), added_latency_ms(raw, "provider", 1, "p99")
    uncached, shared = (
        measurements_per_second(raw, "service", "uncached"),
        measurements_per_second(raw, "service", "shared"),
    )
    ratio = burst_seconds(raw, "provider") / burst_seconds(raw, "built-in")
    requests = requests_per_measurement(select(raw["burst"], system="provider"))
    peak = max(row["peakMiB"] for row in select(raw["memory"], backend="default configuration"))
    lost = sum(count_lost(row) for row in raw["memory"])
    ready = median_of_rows(raw["startup"], lambda row: row["seconds"])
    condition = raw["conditions"]["engineMs"]["p50"]
    hit_ratio = raw["conditions"]["compiledCacheHitRatio"]
    beside_hostile = max(latency_beside_ms(raw, row["kind"], "p99") for row in raw["hostile"])
    judged_requests, judged_cpu = raw["judged"]["requestsPerMeasurement"]["5"], added_judged_cpu_ms(raw)
    return [
        Target("added latency, one in flight, p50", f"{p50:.2f} ms", "≤ 2 ms", "≤ 1.0 ms", p50 <= 2),
        Target("added latency, one in flight, p99", f"{p99:.2f} ms", "≤ 8 ms", "", p99 <= 8),
        Target(
            "uncached measurements per second on one core", f"{uncached:,.0f}", "≥ 1,000", "≥ 1,500", uncached >= 1000
        ),
        Target("shared measurements per second on one core", f"{shared:,.0f}", "≥ 2,500", "", shared >= 2500),
        Target("burst: wall time relative to the built-in provider", f"{ratio:.2f}", "≤ 0.33", "", ratio <= 0.33),
        Target("burst: OAP requests per measurement", f"{requests:.4f}", "≤ 0.05", "", requests <= 0.05),
        Target("1,000 in flight, OAP takes 5 s: lost measurements", f"{lost}", "0", "", lost == 0),
        Target("1,000 in flight, default configuration: peak memory", f"{peak:.0f} MiB", "≤ 128 MiB", "", peak <= 128),
        Target("start-up until SERVING", f"{ready:.2f} s", "≤ 0.5 s", "", ready <= 0.5),
        Target("p99 beside hostile responses", f"{beside_hostile:.0f} ms", "≤ 50 ms", "", beside_hostile <= 50),
        Target("one condition on 5 values, p50", f"{condition:.3f} ms", "≤ 0.2 ms", "", condition <= 0.2),
        Target(
            "judged runs of 5 metrics: OAP requests per measurement",
            f"{judged_requests:.4f}",
            "≤ 0.05",
            "",
            judged_requests <= 0.05,
        ),
        Target("judged look: CPU beside a thresholded one", f"{judged_cpu:.2f} ms", "≤ 2 ms", "", judged_cpu <= 2),
        Target("hit ratio of compiled conditions", f"{100 * hit_ratio:.2f} %", "> 99 %", "", hit_ratio > 0.99),
    ]


def latency_beside_ms(raw: Raw, kind: str, quantile: str) -> float:
    """Return the latency of a measurement beside a kind of hostile responses, in milliseconds."""
    return median_of_rows(select(raw["hostile"], kind=kind), lambda row: row["latencyMs"][quantile])


def hostile_responses(raw: Raw, kind: str) -> float:
    """Return the number of hostile responses of a kind in one repetition."""
    return median_of_rows(select(raw["hostile"], kind=kind), lambda row: row.get("hostileResponses", 0))


def added_judged_cpu_ms(raw: Raw) -> float:
    """Return the CPU time of a judged look over 60 minutes beyond that of a thresholded one, in milliseconds."""
    cpu = raw["judged"]["cpuMs"]
    return float(cpu["judged"] - cpu["thresholded"])


def select(rows: Iterable[Row], **keys: object) -> list[Row]:
    """Return the rows with these values."""
    return [row for row in rows if all(row[key] == value for key, value in keys.items())]


def median_of_rows(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    """Return the median over the repetitions."""
    return median(value(row) for row in rows)


def latency_ms(raw: Raw, system: str, in_flight: int, quantile: str) -> float:
    """Return the latency of a measurement in milliseconds."""
    return median_of_rows(
        select(raw["latency"], system=system, inFlight=in_flight), lambda row: row["latencyMs"][quantile]
    )


def oap_time_ms(raw: Raw, in_flight: int, quantile: str) -> float:
    """Return the OAP's own service time with this many requests in flight, its queue included, in milliseconds."""
    return median_of_rows(
        select(raw["latency"], system="bare", inFlight=in_flight), lambda row: row["oap"]["serviceTimeMs"][quantile]
    )


def added_latency_ms(raw: Raw, system: str, in_flight: int, quantile: str) -> float:
    """Return the latency that a system adds to the OAP's service time. The echo plugin sends no request."""
    return latency_ms(raw, system, in_flight, quantile) - (
        0.0 if system == "echo" else oap_time_ms(raw, in_flight, quantile)
    )


def measurements_per_second(raw: Raw, system: str, workload: str) -> float:
    """Return the measurements per second."""
    return rate_per_second(select(raw["rates"], system=system, workload=workload))


def cpu_ms_per_measurement(raw: Raw, system: str, workload: str) -> float:
    """Return the service's CPU time for one measurement in milliseconds."""
    return cpu_ms(select(raw["rates"], system=system, workload=workload))


def burst_seconds(raw: Raw, system: str) -> float:
    """Return the wall time of the burst in seconds."""
    return median_of_rows(select(raw["burst"], system=system), lambda row: row["seconds"])


def burst_p99_ms(raw: Raw, system: str) -> float:
    """Return the 99th percentile of the latency in the burst, in milliseconds."""
    return median_of_rows(select(raw["burst"], system=system), lambda row: row["latencyMs"]["p99"])


def requests_per_measurement(rows: Sequence[Row]) -> float:
    """Return the number of OAP requests of any kind per measurement."""
    return median_of_rows(rows, lambda row: sum(row["oap"]["requests"].values()) / row["latencyMs"]["count"])


def cached_share(rows: Sequence[Row]) -> float:
    """Return the share of measurements without a metric request of their own."""
    return median_of_rows(rows, lambda row: 1 - row["oap"]["requests"].get("read", 0) / row["latencyMs"]["count"])


def count_lost(row: Row) -> int:
    """Return the number of measurements of a parallel load that are neither Successful nor Running."""
    phases = row["parallelLoad"]["phases"]
    return int(row["parallelLoad"]["latencyMs"]["count"] - phases.get("Successful", 0) - phases.get("Running", 0))


def count_unexpected(raw: Raw) -> int:
    """Return the number of measurements that were not Successful. With any, the figures are not valid."""
    scenarios = ("latency", "rates", "stages", "burst", "hostile", "judged-burst", "replicas")
    rows = [row for scenario in scenarios for row in raw.get(scenario, [])]
    day: dict[str, int] = raw.get("virtual-day", {}).get("phases", {})
    failed = sum(count for phase, count in day.items() if phase not in ("Successful", "Running"))
    return failed + sum(row["latencyMs"]["count"] - row["phases"].get("Successful", 0) for row in rows)


def cpu_ms(rows: Sequence[Row], key: str = "serviceCpuSeconds") -> float:
    """Return the CPU time for one measurement in milliseconds."""
    return median_of_rows(rows, lambda row: 1000 * row[key] / row["latencyMs"]["count"])


def largest_share(rows: Sequence[Row]) -> float:
    """Return the largest share of the measurements that one replica had."""
    return max(max(row["measurementsByReplica"]) / sum(row["measurementsByReplica"]) for row in rows)


def rate_per_second(rows: Sequence[Row]) -> float:
    """Return the measurements per second."""
    return median_of_rows(rows, _rate_per_second)


def _rate_per_second(row: Row) -> float:
    return float(row["latencyMs"]["count"] / row["seconds"])
