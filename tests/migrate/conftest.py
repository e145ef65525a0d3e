import pytest
from migrate_bench import DATA


@pytest.fixture
def talk() -> str:
    """The talk's template, in the built-in provider's form."""
    return (DATA / "talk.yaml").read_text()
