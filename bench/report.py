"""The figures of a bench as tables: for the terminal, and as Markdown for docs/performance.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench import statistics
from bench.statistics import LEVELS, Raw, select

_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"
_SIDE_LABELS = {
    "ours": "this provider",
    "built-in": "built-in, in process",
    "echo": "Go echo plugin",
    "bare": "bare client",
}


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table, cells as text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def report_tables(raw: Raw) -> Iterator[ReportTable]:
    """All tables, the targets first."""
    yield ReportTable(
        "Targets",
        ("what", "measured", "floor", "moonshot", ""),
        [
            (one.name, one.measured, one.floor, one.moonshot, "met" if one.met else "missed")
            for one in statistics.evaluate_targets(raw)
        ],
    )
    yield _latency_table(raw)
    yield _rate_table(raw)
    yield _burst_table(raw)
    yield _memory_table(raw)
    yield _startup_table(raw)


def _latency_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(_SIDE_LABELS[side], str(level)),
            *(f"{statistics.latency_ms(raw, side, level, quantile):.2f}" for quantile in ("p50", "p99")),
            *(f"{statistics.added_latency_ms(raw, side, level, quantile):.2f}" for quantile in ("p50", "p99")),
        )
        for level in LEVELS
        for side in ("ours", "built-in", "echo", "bare")
    ]
    header = ("(a) side", "in flight", "p50, ms", "p99, ms", "added p50, ms", "added p99, ms")
    return ReportTable("Latency of a measurement, OAP of 20 ms and 16 workers, every question new", header, rows)


def _rate_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(name, questions),
            f"{statistics.measurements_per_second(raw, side, questions):,.0f}",
            f"{statistics.cpu_ms_per_measurement(raw, side, questions):.3f}" if side in ("service", "ours") else "",
            f"{statistics.requests_per_measurement(select(raw['rates'], side=side, questions=questions)):.3f}",
            f"{100 * statistics.cached_share(select(raw['rates'], side=side, questions=questions)):.1f} %"
            if side in ("service", "ours")
            else "",
        )
        for side, name in (("service", "the service alone, by its contract"), *_SIDE_LABELS.items())
        for questions in ("uncached", "shared")
        if select(raw["rates"], side=side, questions=questions)
    ]
    header = ("(b, c) side", "questions", "a second", "ms of the core", "OAP requests each", "answered from memory")
    return ReportTable("Measurements a second, the service on one core, an OAP that answers at once", header, rows)


def _burst_table(raw: Raw) -> ReportTable:
    rows = [
        (
            _SIDE_LABELS[side],
            f"{statistics.burst_seconds(raw, side):.2f}",
            f"{statistics.burst_seconds(raw, side) / statistics.burst_seconds(raw, 'built-in'):.2f}",
            f"{statistics.requests_per_measurement(select(raw['burst'], side=side)):.4f}",
            f"{statistics.median_of_rows(select(raw['burst'], side=side), lambda row: row['took']['p99']):.0f}",
        )
        for side in ("ours", "built-in", "echo")
    ]
    header = ("(c, d) side", "wall time, s", "against built-in", "OAP requests each", "p99, ms")
    return ReportTable("Burst: 1,000 runs × 5 metrics on 50 services, OAP of 20 ms and 16 workers", header, rows)


def _memory_table(raw: Raw) -> ReportTable:
    rows = [
        (
            *(row["backend"], "after a load" if row["loaded"] else "just started"),
            *(f"{row['beforeMiB']:.0f}", f"{row['floodPeakMiB']:.0f}"),
            ", ".join(f"{count} {phase}" for phase, count in sorted(row["flood"]["phases"].items())),
            f"{row['flood']['took']['max'] / 1000:.1f}",
        )
        for row in raw["memory"]
    ]
    header = ("(e) backend", "service", "before, MiB", "1,000 in flight, peak", "of the 1,000", "longest, s")
    return ReportTable(
        "Resident memory of the service; the OAP takes 5 s for each of 1,000 questions at once", header, rows
    )


def _startup_table(raw: Raw) -> ReportTable:
    ready = [row["seconds"] for row in raw["start"]]
    row = (
        f"{statistics.median_of_rows(raw['start'], lambda row: row['seconds']):.2f}",
        f"{max(ready):.2f}",
        str(len(ready)),
    )
    return ReportTable("Start-up until SERVING, one core", ("(f) median, s", "longest, s", "starts"), [row])


def print_report(raw: Raw, console: Console) -> None:
    """Print all tables."""
    for table in report_tables(raw):
        rich = RichTable(*table.header, title=table.title, title_justify="left")
        for row in table.rows:
            rich.add_row(*row)
        console.print(rich)


def format_markdown(raw: Raw) -> str:
    """All tables, with hardware, versions and date."""
    about = raw["about"]
    versions = ", ".join(
        f"{key} {about[key]}" for key in ("argo-rollouts", "go", "python", "grpcio", "aiohttp", "uvloop")
    )
    machine = f"{about['processor']}, {about['memory']}, {about['system']}"
    lines = [
        f"Measured {about['at']} at commit {about['commit']} on {machine}; {versions}.",
        f"Load of the machine before it began: {about['load']:.2f}. Medians of {raw['repetitions']} repetitions.",
    ]
    for table in report_tables(raw):
        lines += ["", f"**{table.title}**", "", _format_row(table.header), _format_row("---" for _ in table.header)]
        lines += [_format_row(row) for row in table.rows]
    return "\n".join(lines)


def write_page_tables(raw: Raw, page: Path) -> None:
    """Put the tables between the marks of a page."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise SystemExit(f"bench: {page} lacks the marks {_BEGIN} and {_END}")
    page.write_text(f"{before}{_BEGIN}\n{format_markdown(raw)}\n{_END}{after}")


def _format_row(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
