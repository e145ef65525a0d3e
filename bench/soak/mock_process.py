"""A mock OAP in a process of its own, so that its work takes no time from the load and from the other OAPs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.cpu_affinity import ROOT
from skywalking_provider.mock_oap import MockOap, Scenario


@asynccontextmanager
async def run_mock_process(module: str) -> AsyncIterator[str]:
    """Run a module that calls `serve_mock`, on a free port of loopback; return the address of its OAP."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout  # noqa: S101 - a pipe
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def serve_mock(scenario: Scenario, niceness: int = 0) -> None:
    """Serve a scenario until the process is terminated; print the address first.

    Args:
        scenario: Data of the OAP.
        niceness: Increase of the niceness of the process.
    """
    os.nice(niceness)
    async with MockOap(scenario) as oap:
        print(oap.address, flush=True)
        await asyncio.Event().wait()
