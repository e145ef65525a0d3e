"""`skywalking-provider judge`: judge the counts of a file as a judged block does."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from skywalking_provider.support.counts import format_count
from skywalking_provider.support.printable import printable_line
from skywalking_provider.tools.judge.csv_table import CsvError, parse_csv
from skywalking_provider.tools.judge.json_lines import parse_case_line
from skywalking_provider.tools.judge.judging import Judgement, judge_case
from skywalking_provider.tools.judge.options import JudgeOptions, JudgeSli, OptionError, build_case
from skywalking_provider.tools.judge.problems import LineProblem
from skywalking_provider.tools.judge.text_report import build_case_table, build_report

_WIDTH = 100  # columns without a terminal
_USAGE_ERROR = 2


class JudgeOutput(StrEnum):
    """Output formats."""

    HUMAN = "human"
    JSON = "json"


def judge_command(
    *,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="CSV or JSON lines; - is stdin.")] = "-",
    filename: Annotated[
        str | None, typer.Option("--filename", "-f", metavar="FILE", help="The same as the argument.")
    ] = None,
    sli: Annotated[
        JudgeSli | None, typer.Option(help="Indicator. Default: success-rate, or latency with columns of ms.")
    ] = None,
    percentile: Annotated[
        int | None, typer.Option(metavar="50|75|90|95|99", help="The latencies are this percentile, not the mean.")
    ] = None,
    objective: Annotated[
        str, typer.Option(metavar="NUMBER", help="Success rate or apdex wanted at least, or milliseconds at most.")
    ] = "",
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare with stable. The default with columns of stable.")
    ] = False,
    tolerated: Annotated[
        str, typer.Option(metavar="ratio=R,difference=D", help="With --compare: how much worse is tolerated.")
    ] = "",
    harmful: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|ratio=R,difference=D", help="What must not pass: a value with --objective, else a margin."
        ),
    ] = "",
    confidence: Annotated[
        str, typer.Option(metavar="NUMBER|worse=W,fine=F", help="Confidence in the findings. Default: 0.999 and 0.95.")
    ] = "",
    output: Annotated[
        JudgeOutput, typer.Option("--output", "-o", help="json writes a line for each case.")
    ] = JudgeOutput.HUMAN,
) -> None:
    """Judge the counts of a file as a block with compare or objective does, minute by minute.

    CSV has one minute a line: minute,calls,failures[,failures_high][,stable_calls,stable_failures
    [,stable_failures_high]], or minute,calls,ms[,stable_calls,stable_ms]. Options and defaults are those of the block.

    JSON lines have one case a line, with limits of their own: kind, minutes, tolerated, tolerance or wanted, harmful or
    harm, variance, alpha, beta. A file with a line that begins with { is JSON lines.

    The exit code is 0 for any verdict, and 2 for errors. Lines without an error are still judged.
    """
    if filename is not None and file != "-":
        raise typer.BadParameter("excludes the argument FILE. Set one of them", param_hint="--filename")
    options = JudgeOptions(sli, percentile, objective, compare, tolerated, harmful, confidence)
    lines, problems = _decode_lines(_read(filename or file))
    try:
        if any(text.lstrip().startswith("{") for _, text in lines):
            problems += _judge_json_lines(lines, options, output)
        else:
            problems += _judge_csv(lines, options, output)
    except CsvError as error:
        problems.append(LineProblem(error.line, str(error)))
    except OptionError as error:
        raise typer.BadParameter(printable_line(str(error)), param_hint=error.option or None) from error
    for problem in sorted(problems, key=lambda one: one.line):
        typer.echo(f"skywalking-provider: {printable_line(str(problem))}", err=True)
    raise typer.Exit(_USAGE_ERROR if problems else 0)


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = error.strerror if isinstance(error, OSError) else "is not a valid name"
        raise typer.BadParameter(f"{printable_line(file)}: {reason}. Correct the name", param_hint="FILE") from error


def _decode_lines(content: bytes) -> tuple[list[tuple[int, str]], list[LineProblem]]:
    """Return the lines that are not empty, with their numbers."""
    lines, problems = list[tuple[int, str]](), list[LineProblem]()
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            problems.append(LineProblem(number, "is not UTF-8. Save the file as UTF-8"))
        else:
            if text:
                lines.append((number, text))
    return lines, problems


def _judge_json_lines(
    lines: Iterable[tuple[int, str]], options: JudgeOptions, output: JudgeOutput
) -> list[LineProblem]:
    if options.written:
        raise OptionError(options.written[0], "belongs to CSV: JSON lines have limits of their own. Remove it")
    problems, cases = list[LineProblem](), list[tuple[int, str, Judgement]]()
    for number, text in lines:
        try:
            named = parse_case_line(text)
        except ValueError as error:
            problems.append(LineProblem(number, str(error)))
            continue
        judgement = judge_case(named.case)
        if output is JudgeOutput.JSON:
            _write(judgement)
        else:
            cases.append((number, named.name, judgement))
    if cases:
        _build_console().print(build_case_table(cases))
    return problems


def _judge_csv(lines: Sequence[tuple[int, str]], options: JudgeOptions, output: JudgeOutput) -> list[LineProblem]:
    table = parse_csv(lines, whole_failures=options.whole_failures)
    sli, case = build_case(
        options, [one.minute for one in table.minutes], is_latency=table.is_latency, has_stable=table.has_stable
    )
    judgement = judge_case(case)
    if output is JudgeOutput.JSON:
        _write(judgement)
        return list(table.problems)
    console = _build_console()
    labels = [one.label for one in table.minutes]
    for part in build_report(judgement, sli, labels, console.width, wrap=console.is_terminal):
        console.print(part, soft_wrap=isinstance(part, Text))
    if table.problems:
        console.print(f"  Without {format_count(len(table.problems), 'line')} with errors.")
    return list(table.problems)


def _build_console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDTH)


def _write(judgement: Judgement) -> None:
    evidence = judgement.evidence
    line = {"worse": evidence.worse, "fine": evidence.fine, "verdict": judgement.finding}
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
