"""Settings and fixtures of all tests."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import Phase, settings

pytest_plugins = ("tests.slow_callbacks",)

# Up to Python 3.13 a request for the current event loop creates one if none is set, and it is never closed.
asyncio.set_event_loop(None)

# Rich draws a traceback in 200 ms of CPU time, which would count for the callback that logs it.
_renderer = structlog.get_config()["processors"][-1]
assert isinstance(_renderer, structlog.dev.ConsoleRenderer)
_renderer.exception_formatter = structlog.dev.plain_traceback

# No deadline per example: it would depend on the load of the machine. pytest's timeout limits the whole test.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

# Profile of `make mutants`, which runs the tests on each of many mutants: few examples, the same for all mutants, and
# no search for the simplest one that fails.
settings.register_profile(
    "mutants",
    deadline=None,
    max_examples=25,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded by `record_property`, also those of the workers of pytest-xdist."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(autouse=True)
def _reset_structlog() -> Iterator[None]:
    """Reset the logging that a command under test has configured in this process."""
    yield
    structlog.reset_defaults()
