"""Settings of the tests of `lint`, which evaluates conditions in an event loop that serves no requests."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.allow_slow_callbacks("lint evaluates conditions in its own event loop"))
