"""CSV for people: one minute in each line, in the order of time. No I/O."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.block.judged import MAX_MINUTES
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.printable import printable_line
from skywalking_provider.support.suggestions import did_you_mean
from skywalking_provider.tools.judge.case import CaseMinute, SideCounts
from skywalking_provider.tools.judge.numbers import build_counts, build_latency, parse_calls
from skywalking_provider.tools.judge.problems import LineProblem

RATE_HEADER: Final = "minute,calls,failures[,failures_high][,stable_calls,stable_failures[,stable_failures_high]]"
LATENCY_HEADER: Final = "minute,calls,ms[,stable_calls,stable_ms]"

_COLUMNS: Final = (
    "minute",
    "calls",
    "failures",
    "failures_high",
    "ms",
    "stable_calls",
    "stable_failures",
    "stable_failures_high",
    "stable_ms",
)
_MAX_LABEL: Final = 30


class CsvError(ValueError):
    """A header that cannot be read, so that no line has a meaning.

    Args:
        line: Number of the line.
        message: The problem and the next step.
    """

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class CsvMinute:
    """One line.

    Attributes:
        label: The minute as it is written.
        minute: Both sides.
    """

    label: str
    minute: CaseMinute


@dataclass(frozen=True, slots=True)
class CsvTable:
    """Lines of a file.

    Attributes:
        is_latency: Whether the file has latencies instead of failures.
        has_stable: Whether the file has columns of stable.
        minutes: Valid lines.
        problems: Invalid lines.
    """

    is_latency: bool
    has_stable: bool
    minutes: tuple[CsvMinute, ...]
    problems: tuple[LineProblem, ...]


def parse_csv(lines: Sequence[tuple[int, str]], *, whole_failures: bool) -> CsvTable:
    """Parse numbered lines.

    Args:
        lines: Numbers and texts of the lines that are not empty.
        whole_failures: Whether failures are whole numbers: not of apdex.

    Raises:
        CsvError: The header is invalid.
    """
    if not lines:
        raise CsvError(1, f"no line has data. Write {RATE_HEADER}, and a line for each minute")
    number, text = lines[0]
    columns = _parse_header(number, text)
    is_latency, has_stable = "ms" in columns, "stable_calls" in columns
    minutes, problems = list[CsvMinute](), list[LineProblem]()
    for line, content in lines[1:]:
        try:
            cells = _split(content)
            if len(cells) != len(columns):
                have, need = format_count(len(cells), "cell"), format_count(len(columns), "column")
                raise ValueError(f"has {have}, the header {need}. Write a cell for each column")  # noqa: TRY301
            row = dict(zip(columns, cells, strict=True))
            canary = _parse_side(row, "", is_latency=is_latency, whole=whole_failures)
            stable = _parse_side(row, "stable_", is_latency=is_latency, whole=whole_failures) if has_stable else None
            if len(minutes) == MAX_MINUTES:
                raise ValueError(f"is minute {MAX_MINUTES + 1}, the limit is {MAX_MINUTES}. Split the file")  # noqa: TRY301
            minutes.append(CsvMinute(printable_line(row["minute"])[:_MAX_LABEL], CaseMinute(canary, stable)))
        except ValueError as error:
            problems.append(LineProblem(line, str(error)))
    return CsvTable(is_latency, has_stable, tuple(minutes), tuple(problems))


def _parse_header(line: int, text: str) -> list[str]:
    """Return the columns, which may be in any order."""
    try:
        columns = _split(text)
    except ValueError as error:
        raise CsvError(line, str(error)) from error
    known = [name for name in columns if name in _COLUMNS]
    if not known:
        raise CsvError(line, f"the header has no known column. Write {RATE_HEADER} or {LATENCY_HEADER}, or JSON lines")
    for name in columns:
        if name not in _COLUMNS:
            raise CsvError(
                line, f"unknown column {printable_line(name[:40])!r}. {did_you_mean(name, _COLUMNS, 'columns')}"
            )
        if columns.count(name) > 1:
            raise CsvError(line, f"the column {name} is there more than once. Remove one")
    present = frozenset(columns)
    if mixed := sorted(name for name in present if name.removeprefix("stable_").startswith("failures")):
        latencies = sorted(name for name in present if name.endswith("ms"))
        if latencies:
            raise CsvError(
                line,
                f"the header has {mixed[0]} and {latencies[0]}. Write failures or latencies, not both",
            )
    if missing := _find_missing(present):
        raise CsvError(
            line, f"the header has no column {missing}. Write {LATENCY_HEADER if 'ms' in present else RATE_HEADER}"
        )
    return columns


def _find_missing(present: frozenset[str]) -> str:
    required = ["minute", "calls", "ms" if "ms" in present else "failures"]
    if any(name.startswith("stable_") for name in present):
        required += ["stable_calls", "stable_ms" if "ms" in present else "stable_failures"]
    return next((name for name in required if name not in present), "")


def _parse_side(row: Mapping[str, str], prefix: str, *, is_latency: bool, whole: bool) -> SideCounts | None:
    """Return one side, or None without data: no calls are known, or calls without a value."""
    calls = row[f"{prefix}calls"]
    name = f"{prefix}ms" if is_latency else f"{prefix}failures"
    value = row[name]
    high = "" if is_latency else row.get(f"{prefix}failures_high", "")
    if not calls and (value or high):
        raise ValueError(f"{prefix}calls is empty beside {name} {value or high}. Write the number of calls")
    if not calls:
        return None
    number = parse_calls(calls, f"{prefix}calls")
    if not value and high:
        raise ValueError(f"{name} is empty beside {name}_high {high}. Write both bounds")
    if not value:
        return SideCounts(0, 0, 0) if number == 0 else None
    if is_latency:
        return build_latency(calls, value, prefix=prefix)
    return build_counts(calls, value, high or value, prefix=prefix, whole=whole)


def _split(text: str) -> list[str]:
    try:
        (cells,) = csv.reader([text], strict=True)
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}. Separate the cells by commas") from error
    return [cell.strip() for cell in cells]
