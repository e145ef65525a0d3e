"""What all tests share."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Up to Python 3.13 whoever asks for "the current loop" where there is none makes one that nobody closes. There is none.
asyncio.set_event_loop(None)

# A property holds or not; how long a busy machine takes for one case is another matter, and pytest's timeout bounds it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _reset_structlog() -> Iterator[None]:
    """A command that was tried in this process set up logging for a process of its own."""
    yield
    structlog.reset_defaults()
