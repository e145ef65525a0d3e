"""`skywalking-provider eval`: evaluate a condition for a result as Argo would."""

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import structlog
import typer

from skywalking_provider.conditions import ConditionLanguage, Evaluation, open_expr_evaluator
from skywalking_provider.model import Phase
from skywalking_provider.support import go_json
from skywalking_provider.support.printable import escape_unprintable_json, replace_unprintable
from skywalking_provider.tools.phases import PHASE_STYLES

# The limits of the evaluator end an evaluation much earlier; this is for a busy machine.
_TIMEOUT_SECONDS = 10.0
_EXIT_CODES = {Phase.SUCCESSFUL: 0, Phase.FAILED: 1, Phase.ERROR: 2, Phase.INCONCLUSIVE: 4}


class EvalOutput(StrEnum):
    """Output formats."""

    HUMAN = "human"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Case:
    success: str
    failure: str
    result: bytes


def eval_command(
    *,
    success: Annotated[str, typer.Option("--success", "-s", help="Success condition.")] = "",
    failure: Annotated[str, typer.Option("--failure", "-x", help="Failure condition.")] = "",
    filename: Annotated[
        str, typer.Option("--filename", "-f", help="File with the result in JSON, or - for stdin.")
    ] = "-",
    output: Annotated[EvalOutput, typer.Option("--output", "-o", help="Output format.")] = EvalOutput.HUMAN,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help='Read lines {"success", "failure", "result"} and write a line {"phase", "message"} for each.',
        ),
    ] = False,
) -> None:
    """Evaluate conditions on a result with the library and the rules of Argo Rollouts.

    Exit codes: 0 Successful, 1 Failed, 2 Error or wrong usage, 4 Inconclusive.
    With --jsonl, each line has its own outcome and the exit code is 0. An invalid line is an Error with its number.
    """
    # Logs go to standard error, because standard output has the outcome.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if jsonl and (success or failure):
        raise typer.BadParameter(
            "cannot be used with --jsonl, which reads the conditions from the lines.", param_hint="--success/--failure"
        )
    with _open(filename) as file:
        if jsonl:
            asyncio.run(_stream(file))
            return
        case = _Case(success, failure, file.read())
    raise typer.Exit(asyncio.run(_evaluate_case(case, output)))


def _open(filename: str) -> AbstractContextManager[BinaryIO]:
    try:
        return nullcontext(sys.stdin.buffer) if filename == "-" else Path(filename).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{filename}: {error.strerror}", param_hint="--filename") from error


async def _evaluate_case(case: _Case, output: EvalOutput) -> int:
    async with open_expr_evaluator() as conditions:
        evaluation = await conditions.evaluate(case.success, case.failure, case.result, timeout=_TIMEOUT_SECONDS)
        if output is EvalOutput.JSON:
            _write({"phase": evaluation.phase, "message": evaluation.message, "value": evaluation.value})
        else:
            await _show(conditions, case, evaluation)
    return _EXIT_CODES[evaluation.phase]


async def _show(evaluator: ConditionLanguage, case: _Case, evaluation: Evaluation) -> None:
    typer.echo(
        "phase             " + typer.style(evaluation.phase, fg=PHASE_STYLES[evaluation.phase].colour, bold=True)
    )
    if evaluation.message:
        _echo(f"message           {evaluation.message}")
    for name, success, failure in (("successCondition", case.success, ""), ("failureCondition", "", case.failure)):
        if not (condition := success or failure):
            continue
        alone = await evaluator.evaluate(success, failure, case.result, timeout=_TIMEOUT_SECONDS)
        if alone.phase is Phase.ERROR:
            problem = await evaluator.check(condition, sample=case.result, timeout=_TIMEOUT_SECONDS)
            if problem and problem.snippet:
                _echo(f"{name}  line {problem.line}, column {problem.column}: {problem.message}\n{problem.snippet}")
            continue
        holds = (alone.phase is Phase.SUCCESSFUL) == bool(success)
        _echo(f"{name}  {'holds' if holds else 'does not hold'}: {condition}")
    if evaluation.value:
        _echo(f"value             {evaluation.value}")


async def _stream(lines: Iterable[bytes]) -> None:
    """Write the outcome of each line at once, so that another program can send lines one by one."""
    async with open_expr_evaluator() as conditions:
        for number, line in enumerate(lines, 1):
            try:
                case = _parse(line)
            except ValueError as error:
                evaluation = Evaluation(Phase.ERROR, f"line {number}: {error}")
            else:
                evaluation = await conditions.evaluate(
                    case.success, case.failure, case.result, timeout=_TIMEOUT_SECONDS
                )
            _write({"phase": evaluation.phase, "message": evaluation.message})


def _parse(line: bytes) -> _Case:
    """Parse a line; unknown keys are ignored.

    Raises:
        ValueError: The line is invalid.
    """
    try:
        read = go_json.load(line.strip())
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(read, dict):
        raise ValueError('not an object with "success", "failure" and "result".')
    if "result" not in read:
        raise ValueError('"result" is missing. Write null for a result without data.')
    return _Case(_text(read, "success"), _text(read, "failure"), go_json.dump(read["result"]))


def _text(line: dict[object, object], key: str) -> str:
    match line.get(key):
        case None:
            return ""
        case str(text):
            return text
        case other:
            raise ValueError(f'"{key}" is {json.dumps(other)[:40]}, not a string.')


def _echo(text: str) -> None:
    typer.echo(replace_unprintable(text))


def _write(response: dict[str, str]) -> None:
    sys.stdout.write(escape_unprintable_json(json.dumps(response)) + "\n")
    sys.stdout.flush()
