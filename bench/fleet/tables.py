"""Tables of the fleet: for the terminal, and as Markdown for docs/scale.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.fleet.costs import ASSUMPTIONS, OAP_WORKERS, Costs
from bench.fleet.model import METRICS, ROLLOUTS
from bench.fleet.planning import BUSY, DEFAULT_QPS, THREADS, plan_capacity, workers_runs_per_minute
from bench.fleet.sharing_tables import shared_cache_table, sharing_table
from bench.fleet.validation import Comparison
from bench.tables import ReportTable

Row = Mapping[str, Any]
_PLANNED: Final = (100, 500, 1_000, 2_500, 5_000, ROLLOUTS, 26_000)
_LATENCIES_MS: Final = (100, 500, 1_000)


def build_tables(
    costs: Costs, rows: Sequence[Row], comparisons: Sequence[Comparison], lookup_ms: float
) -> Iterator[ReportTable]:
    """Yield all tables, the plan first."""
    yield _plan_table(costs)
    yield _cost_table(costs, lookup_ms)
    yield _steady_table(_select(rows, "steady"))
    yield _burst_table(_select(rows, "burst"))
    yield _controller_table(_select(rows, "steady"))
    yield sharing_table(_select(rows, "sharing"))
    yield shared_cache_table(costs, _select(rows, "sharing"), lookup_ms)
    yield _loss_table(_select(rows, "loss"))
    yield _validation_table(comparisons)


def _select(rows: Sequence[Row], table: str) -> list[Row]:
    return [row for row in rows if row["table"] == table]


def _plan_table(costs: Costs) -> ReportTable:
    rows = []
    for rollouts in _PLANNED:
        thresholded, judged = (plan_capacity(costs, rollouts, judged=judged) for judged in (False, True))
        rows.append(
            (
                f"{rollouts:,}",
                f"{thresholded.per_second:,.0f}",
                *(f"{one.replicas} ({one.cores:.2f})" for one in (thresholded, judged)),
                *(f"{one.memory_mib:,.0f}" for one in (thresholded, judged)),
                f"{thresholded.oap_requests:,.0f}",
                f"{thresholded.qps}",
            )
        )
    header = (
        "rollouts",
        "measurements/s",
        "replicas (cores in use), thresholded",
        "judged",
        "memory in total, MiB, thresholded",
        "judged",
        "OAP requests/s",
        "`--qps` in total",
    )
    return ReportTable(f"Plan: {METRICS} metrics a minute, each rollout with its own service", header, rows)


def _cost_table(costs: Costs, lookup_ms: float) -> ReportTable:
    assumed = ASSUMPTIONS["judgedLookMs"].source if costs.assumed else "judged"
    rows = [
        ("CPU of a measurement with its own OAP request", f"{costs.uncached_ms:.3f} ms", f"{costs.scenario}, uncached"),
        ("CPU of a measurement with a cached response", f"{costs.shared_ms:.3f} ms", f"{costs.scenario}, shared"),
        ("CPU of a judged look beyond a thresholded one", f"{costs.judged_extra_ms:.2f} ms", assumed),
        ("Latency of Argo's plugin call itself", f"{costs.caller_ms:.2f} ms", "latency, echo plugin"),
        ("OAP request without a queue", f"{costs.oap_ms:.1f} ms", "latency, bare client"),
        ("OAP requests for five metrics of one service", f"{costs.reads}", "burst"),
        ("Memory of a replica after a load", f"{costs.idle_mib:.0f} MiB", "memory"),
        ("Memory of one more measurement in flight", f"{1024 * costs.in_flight_mib:.0f} KiB", "memory"),
        ("Start-up until SERVING", f"{costs.startup_seconds:.2f} s", "startup"),
        ("CPU of a round trip over loopback TCP", f"{lookup_ms:.4f} ms", "bench/fleet/lookup_cost.py"),
    ]
    return ReportTable("Costs", ("cost", "value", "scenario or source"), rows)


def _steady_table(rows: Sequence[Row]) -> ReportTable:
    cells = [
        (
            row["name"],
            f"{row['replicas']}",
            f"{100 * row['busiest']:.0f} %",
            f"{row['p50Ms']:.0f}",
            f"{row['p99Ms']:.0f}",
            f"{row['oapRequestsPerSecond']:,.0f}",
            "yes" if row["busiest"] <= BUSY else "no",
        )
        for row in rows
    ]
    header = ("blocks", "replicas", "busiest core", "p50, ms", "p99, ms", "OAP requests/s", "≤ 70 %")
    return ReportTable(f"Steady load: {ROLLOUTS:,} rollouts, spread over the minute, two OAPs", header, cells)


def _burst_table(rows: Sequence[Row]) -> ReportTable:
    cells = [
        (
            *(f"{row['replicas']}", f"{row['oaps']}", f"{row['threads']}", f"{row['patches']:,.0f}"),
            f"{row['maxLateSeconds']:.1f}" if row["ended"]["Successful"] >= ROLLOUTS * METRICS else "> 60",
            f"{row['p50Ms']:.0f}",
            f"{row['p99Ms']:.0f}",
            f"{row['mostInFlight']}",
        )
        for row in rows
    ]
    header = ("replicas", "OAPs", "analysis threads", "`--qps`", "seconds until all are done", "p50, ms", "p99, ms")
    title = f"Minute's start: all {ROLLOUTS * METRICS:,} measurements are due at once"
    return ReportTable(title, (*header, "most in flight"), cells)


def _controller_table(steady: Sequence[Row]) -> ReportTable:
    measured = [row["p99Ms"] for row in steady if row["name"] == "thresholded"][-1]
    rows = []
    for latency, label in ((measured, f"{measured:.0f} (p99 above)"), *((one, f"{one:,}") for one in _LATENCIES_MS)):
        runs = workers_runs_per_minute(THREADS, latency / 1000)
        patched = 60 * DEFAULT_QPS
        rows.append(
            (
                label,
                f"{runs:,.0f}",
                f"{METRICS * runs:,.0f}",
                f"{min(runs, patched):,.0f}",
                f"{ROLLOUTS / runs * THREADS:.0f}",
                f"{ROLLOUTS * METRICS / runs * THREADS:.0f}",
            )
        )
    header = (
        "latency of a run's slowest metric, ms",
        "runs/min by 30 workers",
        "measurements/min by 30 workers",
        f"runs/min with `--qps` {DEFAULT_QPS:.0f}",
        f"workers for {ROLLOUTS:,} runs/min",
        "workers if each metric is due alone",
    )
    return ReportTable("Limits of one controller", header, rows)


def _loss_table(rows: Sequence[Row]) -> ReportTable:
    cells = [
        (
            row["name"],
            f"{row['maxLateSeconds']:.1f}",
            f"{row['lateBy10']:,}",
            f"{row['calmAfterSeconds']:.0f}",
            f"{row['mostCalls']:,}",
            f"{row['mostOapRequests']:,}",
            f"{row['retried']}",
            f"{row['calls']['Running']:,}",
            f"{row['ended']['Error']}",
            f"{row['paused']}",
        )
        for row in rows
    ]
    header = (
        *("loss", "latest, s", "late by > 10 s", "calm after, s", "most calls/s", "most OAP requests/s"),
        *("retried", "Running", "Errors", "paused rollouts"),
    )
    return ReportTable("Losses: four replicas, two OAPs, `--qps` 400", header, cells)


def _validation_table(comparisons: Sequence[Comparison]) -> ReportTable:
    rows = [
        (
            one.name,
            f"{one.measured:.4g} {one.unit}".strip(),
            f"{one.modelled:.4g} {one.unit}".strip(),
            f"{100 * one.deviation:+.0f} %",
        )
        for one in comparisons
    ]
    return ReportTable(
        f"Model beside measurement: one replica, one OAP with {OAP_WORKERS} workers",
        ("figure", "measured", "model", "deviation"),
        rows,
    )
