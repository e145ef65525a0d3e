"""Imports of the service: optional packages are not loaded at the start."""

import subprocess
import sys


def test_serve_imports_no_optional_package_and_no_other_command() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, skywalking_provider.cli.serve, skywalking_provider.server.lifecycle; print(*sys.modules)",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.split()
    heavy = (
        "celpy",
        "jsonschema",
        "lark",
        "numpy",
        "opentelemetry",
        "pendulum",
        "prometheus_client",
        "rich",
        "ruamel",
        "scipy",
    )
    other_packages = ("mock_oap", "tools")
    assert not [name for name in loaded if name.split(".")[0] in heavy]
    assert not [
        name for name in loaded if name.startswith(tuple(f"skywalking_provider.{name}" for name in other_packages))
    ]
