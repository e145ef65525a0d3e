"""What the service does not need until somebody asks for it is not in its memory."""

import subprocess
import sys


def test_serving_imports_neither_cel_nor_the_mock_nor_a_command_of_another_kind() -> None:
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
    ours = ("mock_oap", "demo", "check", "migrate")
    assert not [name for name in loaded if name.split(".")[0] in heavy]
    assert not [name for name in loaded if name.startswith(tuple(f"skywalking_provider.{room}" for room in ours))]
