"""Tables of a benchmark, one for each scenario: pure functions of the raw rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import stages, statistics
from bench.statistics import LEVELS, Raw, Row, select
from bench.steady_state import FIRST_HOUR, fit_trend

_SYSTEM_LABELS = {
    "provider": "this provider",
    "built-in": "built-in provider, in process",
    "echo": "Go echo plugin",
    "bare": "bare client",
}


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table with its cells as text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def target_table(raw: Raw) -> ReportTable:
    """Return the targets with their measured figures."""
    rows = [
        (one.name, one.measured, one.floor, one.stretch, "met" if one.met else "missed")
        for one in statistics.evaluate_targets(raw)
    ]
    return ReportTable("Targets", ("figure", "measured", "floor", "stretch target", "result"), rows)


def _latency_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(_SYSTEM_LABELS[system], str(level)),
            *(f"{statistics.latency_ms(raw, system, level, quantile):.2f}" for quantile in ("p50", "p99")),
            *(f"{statistics.added_latency_ms(raw, system, level, quantile):.2f}" for quantile in ("p50", "p99")),
        )
        for level in LEVELS
        for system in ("provider", "built-in", "echo", "bare")
    ]
    header = ("(a) system", "in flight", "p50, ms", "p99, ms", "added p50, ms", "added p99, ms")
    return ReportTable("Latency of uncached measurements, OAP with 20 ms and 16 workers", header, rows)


def _rate_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(name, workload),
            f"{statistics.measurements_per_second(raw, system, workload):,.0f}",
            f"{statistics.cpu_ms_per_measurement(raw, system, workload):.3f}"
            if system in ("service", "provider")
            else "",
            f"{statistics.requests_per_measurement(select(raw['rates'], system=system, workload=workload)):.3f}",
            f"{100 * statistics.cached_share(select(raw['rates'], system=system, workload=workload)):.1f} %"
            if system in ("service", "provider")
            else "",
        )
        for system, name in (("service", "the service alone, through its contract"), *_SYSTEM_LABELS.items())
        for workload in ("uncached", "shared")
        if select(raw["rates"], system=system, workload=workload)
    ]
    header = ("(b, c) system", "workload", "per second", "CPU, ms", "OAP requests per measurement", "from cache")
    return ReportTable("Measurements per second, service on one core, OAP responds immediately", header, rows)


def _stage_table(raw: Raw) -> ReportTable:
    levels = {level: select(raw["stages"], inFlight=level) for level in (1, 30)}
    times = {level: stages.compute_stage_times(rows) for level, rows in levels.items()}
    rows = [(stage, *(f"{times[level].get(stage, 0):.3f}" for level in levels)) for stage in times[30]]
    for part, name in (
        ("service", "the service in total"),
        ("kernel", "of it in the kernel"),
        ("bridge", "the bridge, in its own process"),
    ):
        rows.append((name, *(f"{stages.compute_cpu_ms(each, part):.3f}" for each in levels.values())))
    header = ("(i) stage", "1 in flight, ms", "30 in flight, ms")
    return ReportTable("CPU time of an uncached measurement by stage", header, rows)


def _burst_table(raw: Raw) -> ReportTable:
    rows = [
        (
            _SYSTEM_LABELS[system],
            f"{statistics.burst_seconds(raw, system):.2f}",
            f"{statistics.burst_seconds(raw, system) / statistics.burst_seconds(raw, 'built-in'):.2f}",
            f"{statistics.requests_per_measurement(select(raw['burst'], system=system)):.4f}",
            f"{statistics.burst_p99_ms(raw, system):.0f}",
        )
        for system in ("provider", "built-in", "echo")
    ]
    header = ("(c, d) system", "wall time, s", "relative to built-in", "OAP requests per measurement", "p99, ms")
    return ReportTable("Burst: 1,000 runs × 5 metrics on 50 services, OAP with 20 ms and 16 workers", header, rows)


def _memory_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(row["backend"], "after a load" if row["loaded"] else "after start"),
            *(f"{row['initialMiB']:.0f}", f"{row['peakMiB']:.0f}"),
            ", ".join(f"{count} {phase}" for phase, count in sorted(row["parallelLoad"]["phases"].items())),
            f"{row['parallelLoad']['latencyMs']['max'] / 1000:.1f}",
        )
        for row in raw["memory"]
    ]
    header = ("(e) backend", "service", "initial, MiB", "peak, MiB", "phases", "longest, s")
    return ReportTable(
        "Resident memory of the service with 1,000 uncached measurements in flight, OAP takes 5 s", header, rows
    )


def _startup_table(raw: Raw) -> ReportTable:
    ready = [row["seconds"] for row in raw["startup"]]
    row = (
        f"{statistics.median_of_rows(raw['startup'], lambda row: row['seconds']):.2f}",
        f"{max(ready):.2f}",
        str(len(ready)),
    )
    return ReportTable("Start-up until SERVING on one core", ("(f) median, s", "longest, s", "starts"), [row])


def _judged_table(raw: Raw) -> ReportTable:
    judged = raw["judged"]
    row = (
        *(f"{judged['requestsPerMeasurement'][metrics]:.4f}" for metrics in ("1", "5")),
        *(f"{judged['cpuMs'][form]:.2f}" for form in ("thresholded", "judged")),
    )
    header = ("(g) OAP requests per measurement, 1 metric", "5 metrics", "CPU of a thresholded look, ms", "judged, ms")
    return ReportTable("Judged looks: 1,000 runs of up to 60 minutes on 50 services", header, [row])


def _hostile_table(raw: Raw) -> ReportTable:
    rows = [
        (
            kind,
            f"{statistics.hostile_responses(raw, kind):.0f}",
            *(f"{statistics.latency_beside_ms(raw, kind, quantile):.2f}" for quantile in ("p50", "p99", "max")),
        )
        for kind in dict.fromkeys(row["kind"] for row in raw["hostile"])
    ]
    header = ("(h) responses of another OAP", "number", "p50, ms", "p99, ms", "max, ms")
    return ReportTable(
        "Latency of one in flight beside hostile responses to another namespace, OAP with 20 ms", header, rows
    )


def _judged_burst_table(raw: Raw) -> ReportTable:
    by_form = {form: select(raw["judged-burst"], form=form) for form in dict.fromkeys(map(_form, raw["judged-burst"]))}
    rows = [
        (
            form,
            f"{statistics.median_of_rows(each, lambda row: row['seconds']):.2f}",
            f"{statistics.requests_per_measurement(each):.4f}",
            f"{statistics.cpu_ms(each):.2f}",
            f"{statistics.median_of_rows(each, lambda row: row['latencyMs']['p99']):.0f}",
        )
        for form, each in by_form.items()
    ]
    header = ("(j) runs", "wall time, s", "OAP requests per measurement", "CPU of the service, ms", "p99, ms")
    return ReportTable("Judged burst: 400 runs × 5 metrics on 50 services, OAP with 20 ms and 16 workers", header, rows)


def _form(row: Row) -> str:
    return str(row["form"])


def _virtual_day_table(raw: Raw) -> ReportTable:
    day, trend = raw["virtual-day"], fit_trend(raw["virtual-day"]["hours"])
    sizes = {one["hour"]: one["residentMiB"] for one in day["hours"]}
    row = (
        f"{sum(day['phases'].values()):,}",
        *(f"{sizes[hour]:.1f}" for hour in (1, 24, 36)),
        f"{trend.slope:+.3f} ± {trend.margin:.3f}",
        "yes" if trend.is_steady else "no",
    )
    hours = [f"MiB at hour {hour}" for hour in (1, 24, 36)]
    header = ("(k) measurements", *hours, f"MiB per hour, hours {FIRST_HOUR} to 36", "steady")
    return ReportTable(f"Resident memory over 36 hours of virtual time with {day['rollouts']} rollouts", header, [row])


def _replica_table(raw: Raw) -> ReportTable:
    rows = []
    for workload in ("uncached", "shared", "burst"):
        for count in dict.fromkeys(row["replicas"] for row in raw["replicas"]):
            each = select(raw["replicas"], replicas=count, workload=workload)
            cpu = statistics.cpu_ms(each)
            rows.append(
                (
                    *(workload, str(count)),
                    f"{statistics.rate_per_second(each):,.0f}",
                    *(f"{one:.3f}" for one in (cpu, statistics.cpu_ms(each, "bridgeCpuSeconds"))),
                    f"{statistics.requests_per_measurement(each):.4f}",
                    f"{1000 * count / cpu:,.0f}" if workload != "burst" else "",
                    f"{100 * statistics.largest_share(each):.0f} %",
                )
            )
    header = (
        *("(l) workload", "replicas", "per second, all replicas on one core", "CPU of the replicas, ms"),
        *("CPU of the bridge, ms", "OAP requests per measurement", "derived: per second, one core for each replica"),
        "largest share of a replica",
    )
    return ReportTable("Replicas of the service behind one bridge", header, rows)


TABLES: Mapping[str, Callable[[Raw], ReportTable]] = {
    "latency": _latency_table,
    "rates": _rate_table,
    "stages": _stage_table,
    "burst": _burst_table,
    "memory": _memory_table,
    "startup": _startup_table,
    "judged": _judged_table,
    "hostile": _hostile_table,
    "judged-burst": _judged_burst_table,
    "virtual-day": _virtual_day_table,
    "replicas": _replica_table,
}
