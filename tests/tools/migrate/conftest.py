import pytest

from tests.tools.migrate.harness import DATA


@pytest.fixture
def reference_template() -> str:
    """The talk's template, in the built-in provider's form."""
    return (DATA / "reference.yaml").read_text()
