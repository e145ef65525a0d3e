"""Imports of the service: optional packages are not loaded at the start."""

import gc
import os
import subprocess
import sys

import pytest

from skywalking_provider.cli.lean_start import without_garbage_collection

# A start that ends after its imports, because the address is rejected.
REJECTED_START = """
import gc, sys
from skywalking_provider.cli import main
sys.argv = ["skywalking-provider", "serve", "--listen", "0.0.0.0:9"]
try:
    main()
except SystemExit as end:
    assert end.code == 2, end.code
assert gc.isenabled() and gc.get_freeze_count() > 50_000
from skywalking_provider.block import ExpressionSpec
from skywalking_provider.oap.api import responses
assert not ExpressionSpec.__pydantic_complete__
assert "_adapter" not in vars(responses.EXPRESSION_RESULT)
print(*sys.modules)
"""
NEEDED = {"gql.transport.aiohttp", "grpc.aio", "skywalking_provider.server.lifecycle", "structlog", "wasmtime"}
NOT_NEEDED = {
    "celpy",
    "gql.client",
    "jinja2",
    "jsonschema",
    "lark",
    "numpy",
    "opentelemetry",
    "pendulum",
    "prometheus_client",
    "rapidfuzz",
    "rich",
    "ruamel",
    "scipy",
    "skywalking_provider.mock_oap",
    "skywalking_provider.tools",
    "tenacity",
}


def test_serve_imports_no_optional_package_and_no_other_command() -> None:
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", REJECTED_START],
            env=os.environ | {"SWP_BACKENDS__PROD__URL": "http://127.0.0.1:9"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        ).stdout.split()
    )

    assert loaded >= NEEDED
    assert not loaded & NOT_NEEDED


def test_garbage_collection_after_a_failed_import_is_enabled() -> None:
    try:
        with pytest.raises(ModuleNotFoundError), without_garbage_collection():
            import not_installed  # noqa: F401, PLC0415
        assert gc.isenabled()
    finally:
        gc.unfreeze()
