"""Log configuration: JSON lines with Argo's field names on standard error, or columns on a terminal."""

import logging
import sys
from collections.abc import Callable, Sequence

import structlog
from structlog.typing import Processor

from skywalking_provider.config import LogConfig
from skywalking_provider.support.redaction import redact_json


def configure_logging(
    config: LogConfig, redact: Callable[[str], str] = str, extra_processors: Sequence[Processor] = ()
) -> None:
    """Configure structlog for the process, and route the warnings of libraries through it.

    Args:
        config: Level and format.
        redact: Function that removes the backends' credentials from a line, exception texts included.
        extra_processors: Additional processors for every line.
    """
    columns = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        *extra_processors,
    ]
    # Tracebacks omit the values of variables: those of the HTTP client hold credentials.
    last: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(timestamp_key="time", exception_formatter=structlog.dev.plain_traceback),
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
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
