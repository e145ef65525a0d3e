"""Exits to a terminal, a log and a page: any text of a client, a template or an OAP leaves them as printable text.

The only exceptions are the escape sequences for colours that the provider itself writes.
"""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multidict import MultiDict
from rich.console import Console
from rich.text import Text

from skywalking_provider.cli import check, doctor, eval, migrate  # noqa: A004 - the command's name
from skywalking_provider.conditions import Evaluation, open_expr_evaluator
from skywalking_provider.config import LogConfig
from skywalking_provider.history.filter import parse_filter
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView
from skywalking_provider.model import Phase
from skywalking_provider.server.logging import configure_logging
from skywalking_provider.tools.doctor.findings import Section, problem
from skywalking_provider.tools.migrate.report import Line, LineStyle

HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b31m\u202eevil\u2066\u200b\u2028\u2029\r\x00\x7f\ud800 b\nINFO forged line"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXTS = st.text(st.characters(), max_size=60) | st.just(HOSTILE)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_printable(output: str, *, lines: int | None = None) -> None:
    """Assert that an output without the colours is printable, and has the expected number of lines."""
    text = COLOURS.sub("", output)
    assert all(one.isprintable() or one in "\n\t" for one in text), repr(text)
    if lines is not None:
        assert text.count("\n") == lines, repr(text)


class Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Return a function that replaces standard output and error by an empty terminal."""

    def replace() -> Terminal:
        stream = Terminal()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replace


@SETTINGS
@given(TEXTS)
@example(HOSTILE)
def test_check_any_line_is_printed_as_one_printable_line(text: str) -> None:
    output = Terminal()

    check._print(Console(file=output, force_terminal=True, soft_wrap=True, width=100), str, Text(text, style="red"))

    assert_printable(output.getvalue(), lines=1)


@SETTINGS
@given(TEXTS)
@example(HOSTILE)
def test_doctor_any_finding_is_printable_as_text_and_as_json(terminal: Callable[[], Terminal], text: str) -> None:
    section = Section("backend", text, (problem(text, text),))
    for output in doctor.DoctorOutput:
        stream = terminal()
        doctor._show([section], output)
        assert_printable(stream.getvalue())
    assert json.loads(stream.getvalue())["sections"][0]["subject"] == text


@SETTINGS
@given(TEXTS)
@example(HOSTILE)
def test_migrate_any_line_of_a_diff_or_a_note_is_printable(text: str) -> None:
    output = Terminal()

    migrate._show(output, [Line(text, style) for style in LineStyle])

    assert_printable(output.getvalue())


@SETTINGS
@given(TEXTS)
@example(HOSTILE)
def test_eval_any_outcome_is_printable_as_text_and_as_json(terminal: Callable[[], Terminal], text: str) -> None:
    async def show() -> str:
        stream = terminal()
        async with open_expr_evaluator() as conditions:
            case = eval._Case(f"result == {json.dumps(text)}", "", b"1")
            await eval._show(conditions, case, Evaluation(Phase.ERROR, text, text))
        return stream.getvalue()

    assert_printable(asyncio.run(show()) if text == HOSTILE else _echo(terminal, text))
    stream = terminal()
    eval._write({"phase": "Error", "message": text})
    assert_printable(stream.getvalue(), lines=1)


def _echo(terminal: Callable[[], Terminal], text: str) -> str:
    stream = terminal()
    eval._echo(text)
    return stream.getvalue()


@SETTINGS
@given(TEXTS, TEXTS, TEXTS)
@example(HOSTILE, HOSTILE, HOSTILE)
def test_page_any_query_parameters_are_repeated_as_printable_text(name: str, metric: str, namespace: str) -> None:
    query = MultiDict({"name": name, "metric": metric, "namespace": namespace, "phase": name})
    criteria = parse_filter(query, query.getall("phase"))
    view = HistoryView(["prod"], 100)

    page = "".join(view.render(History(100, lambda: NOON), criteria, NOON))

    assert all(one.isprintable() or one in "\n\t\N{NO-BREAK SPACE}" for one in page)
    for key, text in (("name", name), ("metric", metric), ("namespace", namespace)):
        assert text.isprintable() or quote(text, errors="replace") not in page, key


class ForeignError(Exception):
    """An exception whose text another program wrote."""


def fail(text: str) -> None:
    raise ForeignError(text)


@SETTINGS
@given(TEXTS)
@example(HOSTILE)
def test_console_log_any_values_and_exceptions_are_printable(terminal: Callable[[], Terminal], text: str) -> None:
    stream = terminal()
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    try:
        configure_logging(LogConfig.model_validate({"format": "console", "level": "info"}))
        log: Any = structlog.get_logger()
        log.info(text, metric=text, nested={text: [text]})
        assert_printable(stream.getvalue(), lines=1)
        try:
            fail(text)
        except ForeignError:
            log.exception("measurement failed", metric=text)
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:] = handlers

    assert_printable(stream.getvalue())
