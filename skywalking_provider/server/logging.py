"""Log configuration: JSON lines with Argo's field names on standard error, or columns on a terminal."""

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from io import StringIO
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from skywalking_provider.config import LogConfig
from skywalking_provider.support.printable import printable_values, replace_unprintable
from skywalking_provider.support.redaction import redact_json

_RENDERED_LATER = ("exc_info",)
_BLOCKS = ("exception", "stack")
"""Texts of several lines."""


def configure_logging(
    config: LogConfig,
    redact: Callable[[str], str] = str,
    extra_processors: Sequence[Processor] = (),
    output: TextIO | None = None,
) -> Callable[[int], str]:
    """Configure structlog for the process, and route the log and the warnings of libraries through it.

    Args:
        config: Level and format.
        redact: Function that removes the backends' credentials from a line, exception texts included.
        extra_processors: Additional processors for every line.
        output: Stream for the lines; by default `sys.stderr`.

    Returns:
        Function that renders the line about a number of lost lines.
    """
    output = output or sys.stderr
    columns = config.format == "console" or (config.format == "auto" and output.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        *extra_processors,
    ]
    # Tracebacks omit the values of variables: those of the HTTP client hold credentials.
    last: list[Processor] = (
        [
            _make_printable,
            structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=_format_exception),
            lambda _logger, _method, line: redact(str(line)),
        ]
        if columns
        else [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.EventRenamer("msg"),
            lambda _logger, _method, event: redact_json(dict(event), redact),
            structlog.processors.JSONRenderer(),
        ]
    )
    level = logging.getLevelNamesMapping()[config.level.upper()]
    logger = _LineLogger(output)
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)

    def render_loss(lines: int) -> str:
        event: Any = {"event": "log lines lost: standard error was not read or failed", "lines": lines}
        for process in shared + last:
            event = process(logger, "warning", event)
        return f"{event}\n"

    return render_loss


class _LineLogger:
    """Logger that writes each line at once; one call of `write`, so that lines of several threads do not mix."""

    def __init__(self, output: TextIO) -> None:
        self._write = output.write

    def msg(self, line: str) -> None:
        self._write(f"{line}\n")

    debug = info = warning = error = critical = exception = log = msg


def _make_printable(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make the texts of a line printable before it is coloured. JSON lines escape them."""
    return {
        key: one if key in _RENDERED_LATER else replace_unprintable(one) if key in _BLOCKS else printable_values(one)
        for key, one in event.items()
    }


def _format_exception(output: TextIO, exception: Any) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, exception)
    output.write(replace_unprintable(text.getvalue()))
