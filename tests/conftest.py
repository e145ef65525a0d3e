"""What all tests share."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog

# Up to Python 3.13 whoever asks for "the current loop" where there is none makes one that nobody closes. There is none.
asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _no_logging_of_the_test_before() -> Iterator[None]:
    """A command that was tried in this process set up logging for a process of its own."""
    yield
    structlog.reset_defaults()
