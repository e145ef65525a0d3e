"""Settings and fixtures of all tests."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import Phase, settings

# Up to Python 3.13 a request for the current event loop creates one if none is set, and it is never closed.
asyncio.set_event_loop(None)

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


@pytest.fixture(autouse=True)
def _reset_structlog() -> Iterator[None]:
    """Reset the logging that a command under test has configured in this process."""
    yield
    structlog.reset_defaults()
