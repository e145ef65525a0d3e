"""From the raw rows of a bench to its figures: medians of the repetitions, and ratios between sides. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = dict[str, Any]
Raw = dict[str, Any]

LEVELS = (1, 30, 200)


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the targets: what was measured against what was wished for.

    Attributes:
        name: Of issue and docs.
        measured: Measured.
        floor: The least that is wanted.
        moonshot: The most; empty where there is none.
        met: Whether the floor is.
    """

    name: str
    measured: str
    floor: str
    moonshot: str
    met: bool


def evaluate_targets(raw: Raw) -> list[Target]:
    """All targets that the bench measures."""
    p50, p99 = added_latency_ms(raw, "ours", 1, "p50"), added_latency_ms(raw, "ours", 1, "p99")
    uncached, shared = (
        measurements_per_second(raw, "service", "uncached"),
        measurements_per_second(raw, "service", "shared"),
    )
    ratio = burst_seconds(raw, "ours") / burst_seconds(raw, "built-in")
    requests = requests_per_measurement(select(raw["burst"], side="ours"))
    flood = max(row["floodPeakMiB"] for row in select(raw["memory"], backend="as shipped"))
    lost = sum(count_lost(row) for row in raw["memory"])
    ready = median_of_rows(raw["start"], lambda row: row["seconds"])
    condition = raw["conditions"]["engineMs"]["p50"]
    compiled = raw["conditions"]["compiledBefore"]
    return [
        Target("added latency, one in flight, p50", f"{p50:.2f} ms", "≤ 2 ms", "≤ 1.0 ms", p50 <= 2),
        Target("added latency, one in flight, p99", f"{p99:.2f} ms", "≤ 8 ms", "≤ 5 ms", p99 <= 8),
        Target("uncached measurements a second on one core", f"{uncached:,.0f}", "≥ 600", "≥ 1,000", uncached >= 600),
        Target("shared measurements a second on one core", f"{shared:,.0f}", "≥ 1,200", "≥ 2,000", shared >= 1200),
        Target("burst: our wall time against the built-in's", f"{ratio:.2f}", "≤ 0.5", "", ratio <= 0.5),
        Target("burst: OAP requests a measurement", f"{requests:.4f}", "≤ 0.05", "", requests <= 0.05),
        Target("1,000 in flight on an OAP of 5 s: lost", f"{lost}", "0", "", lost == 0),
        Target("1,000 in flight, as shipped: memory, peak", f"{flood:.0f} MiB", "≤ 128 MiB", "", flood <= 128),
        Target("ready after start", f"{ready:.2f} s", "≤ 1 s", "", ready <= 1),
        Target("one condition on 5 values, p50", f"{condition:.3f} ms", "≤ 0.2 ms", "", condition <= 0.2),
        Target("conditions compiled before", f"{100 * compiled:.2f} %", "> 99 %", "", compiled > 0.99),
    ]


def select(rows: Iterable[Row], **keys: object) -> list[Row]:
    """The rows with these keys."""
    return [row for row in rows if all(row[key] == value for key, value in keys.items())]


def median_of_rows(rows: Sequence[Row], value: Callable[[Row], float]) -> float:
    """The median of the repetitions."""
    return median(value(row) for row in rows)


def latency_ms(raw: Raw, side: str, in_flight: int, quantile: str) -> float:
    """Milliseconds of a measurement."""
    return median_of_rows(select(raw["latency"], side=side, inFlight=in_flight), lambda row: row["took"][quantile])


def oap_time_ms(raw: Raw, in_flight: int, quantile: str) -> float:
    """Milliseconds that the OAP itself takes with so many requests in flight, its queue included, by its own clock."""
    return median_of_rows(
        select(raw["latency"], side="bare", inFlight=in_flight), lambda row: row["oap"]["own"][quantile]
    )


def added_latency_ms(raw: Raw, side: str, in_flight: int, quantile: str) -> float:
    """What a side adds to the OAP's own time; the echo asks none."""
    return latency_ms(raw, side, in_flight, quantile) - (
        0.0 if side == "echo" else oap_time_ms(raw, in_flight, quantile)
    )


def measurements_per_second(raw: Raw, side: str, workload: str) -> float:
    """Measurements a second."""
    return median_of_rows(select(raw["rates"], side=side, questions=workload), _rate_per_second)


def cpu_ms_per_measurement(raw: Raw, side: str, workload: str) -> float:
    """Milliseconds of the service's core for one measurement."""
    rows = select(raw["rates"], side=side, questions=workload)
    return median_of_rows(rows, lambda row: 1000 * row["serviceCpuSeconds"] / row["took"]["count"])


def burst_seconds(raw: Raw, side: str) -> float:
    """Wall time of the burst."""
    return median_of_rows(select(raw["burst"], side=side), lambda row: row["seconds"])


def requests_per_measurement(rows: Sequence[Row]) -> float:
    """Requests at the OAP, of every kind."""
    return median_of_rows(rows, lambda row: sum(row["oap"]["requests"].values()) / row["took"]["count"])


def cached_share(rows: Sequence[Row]) -> float:
    """The share of measurements that needed no read of their own."""
    return median_of_rows(rows, lambda row: 1 - row["oap"]["requests"].get("read", 0) / row["took"]["count"])


def count_lost(row: Row) -> int:
    """Measurements of a flood that are no answer of ours: neither judged nor waiting."""
    phases = row["flood"]["phases"]
    return int(row["flood"]["took"]["count"] - phases.get("Successful", 0) - phases.get("Running", 0))


def count_unexpected(raw: Raw) -> int:
    """Measurements that should have been Successful and were not; a bench with any measured something else."""
    rows = [row for phase in ("latency", "rates", "burst") for row in raw[phase]]
    return sum(row["took"]["count"] - row["phases"].get("Successful", 0) for row in rows)


def _rate_per_second(row: Row) -> float:
    return float(row["took"]["count"] / row["seconds"])
