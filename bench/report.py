"""Tables of a benchmark: for the terminal, and as Markdown for docs/performance.md."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.statistics import TARGET_SCENARIOS, Raw
from bench.tables import TABLES, ReportTable, target_table

_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"


def report_tables(raw: Raw) -> Iterator[ReportTable]:
    """Yield the tables of the measured scenarios, and the targets first if their scenarios were measured."""
    if raw.keys() >= TARGET_SCENARIOS:
        yield target_table(raw)
    for scenario, table in TABLES.items():
        if scenario in raw:
            yield table(raw)


def print_report(raw: Raw, console: Console) -> None:
    """Print all tables to the terminal."""
    print_tables(report_tables(raw), console)


def print_tables(tables: Iterable[ReportTable], console: Console) -> None:
    """Print tables to the terminal."""
    for table in tables:
        rich = RichTable(*table.header, title=table.title, title_justify="left")
        for row in table.rows:
            rich.add_row(*row)
        console.print(rich)


def format_markdown(raw: Raw) -> str:
    """Format all tables as Markdown, with hardware, versions and date."""
    about = raw["about"]
    versions = ", ".join(
        f"{key} {about[key]}" for key in ("argo-rollouts", "go", "python", "grpcio", "aiohttp", "uvloop")
    )
    machine = f"{about['processor']}, {about['memory']}, {about['system']}"
    lines = [
        f"Measured {about['at']} at commit {about['commit']} on {machine}; {versions}.",
        f"Load average before the start: {about['load']:.2f}. Medians of {raw['repetitions']} repetitions.",
    ]
    return "\n".join([*lines, *format_tables(report_tables(raw))])


def format_tables(tables: Iterable[ReportTable]) -> Iterator[str]:
    """Yield the lines of tables as Markdown."""
    for table in tables:
        yield from ("", f"**{table.title}**", "", _format_row(table.header), _format_row("---" for _ in table.header))
        yield from (_format_row(row) for row in table.rows)


def write_page_tables(raw: Raw, page: Path) -> None:
    """Replace the tables between the markers of a page."""
    replace_tables(format_markdown(raw), page)


def replace_tables(text: str, page: Path) -> None:
    """Replace the text between the markers of a page."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise SystemExit(f"bench: {page} has no tables to replace. Add the markers {_BEGIN} and {_END}.")
    page.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _format_row(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
