"""What the service takes into memory when it starts."""

import subprocess
import sys

import pytest

LATER = ("rich", "celpy", "scipy", "numpy", "opentelemetry", "prometheus_client", "skywalking_provider.mock_oap")


@pytest.mark.parametrize("package", LATER)
def test_the_service_does_without_what_only_some_use(package: str) -> None:
    program = (
        "import skywalking_provider.cli.serve, skywalking_provider.server.serve, sys;"
        f"raise SystemExit({package!r} in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
