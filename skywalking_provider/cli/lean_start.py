"""Imports of the service's start without packages that it never uses, and without garbage collection."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def import_structlog_without_rich() -> None:
    """Import structlog while rich cannot be imported.

    structlog imports rich, if installed, to print the values of variables in tracebacks. The service never prints
    them, because they may hold credentials. rich would cost 3 MiB of memory and 5 % of the start time.
    """
    with _replaced_module("rich", None):  # an import then raises ModuleNotFoundError
        import structlog  # noqa: F401, PLC0415


def import_gql_without_client() -> None:
    """Import gql's HTTP transport while a placeholder stands for the module of gql's Client.

    `import gql` imports the Client, which the service does not use (oap/transport/client.py), with tenacity, anyio and
    the utilities of introspection. They would cost 1 MiB of memory and 4 % of the start time.
    """
    placeholder = ModuleType("gql.client")
    vars(placeholder)["Client"] = None
    with _replaced_module("gql.client", placeholder):
        import gql.transport.aiohttp  # noqa: F401, PLC0415


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Collect no garbage during imports, and exclude the imported modules from all later collections.

    Nearly all objects of an import stay. Searching them for garbage would cost 8 % of the start time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _replaced_module(name: str, replacement: ModuleType | None) -> Iterator[None]:
    """Let an import of the module find the replacement instead, unless the module has been imported already."""
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = replacement
    try:
        yield
    finally:
        del modules[name]
