import pytest

from tests.tools.migrate.harness import DATA


@pytest.fixture
def reference_template() -> str:
    """The reference template for the built-in provider."""
    return (DATA / "reference.yaml").read_text()
