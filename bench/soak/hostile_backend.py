"""A second OAP of a soak test, in a process of its own, whose responses are wrong while a fault is on.

Its process renders the large responses, with a low priority, so that they take no time from the load and from the other
OAP. `python -m bench.soak.hostile_backend` runs it.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bench.cpu_affinity import ROOT
from bench.soak.workload import build_scenario
from skywalking_provider.mock_oap import FaultKind, MockOap

_LOW_PRIORITY = 10


class HostileBackend:
    """Control of the OAP.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def add_fault(self, kind: FaultKind, **details: object) -> None:
        """Enable a fault for the reads of metrics."""
        await self._request("POST", {"kind": kind.value, "match": "execExpression", **details})

    async def clear_faults(self) -> None:
        """Respond rightly again."""
        await self._request("DELETE", None)

    async def _request(self, method: str, content: object) -> None:
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.request(method, f"{self.url}/mock/faults", json=content),
        ):
            pass


@asynccontextmanager
async def run_hostile_backend() -> AsyncIterator[HostileBackend]:
    """Run the OAP on a free port of loopback."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.soak.hostile_backend", stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout  # noqa: S101 - a pipe
        yield HostileBackend((await process.stdout.readline()).decode().strip())
    finally:
        process.terminate()
        await process.wait()


async def main() -> None:
    """Serve until the process is terminated."""
    os.nice(_LOW_PRIORITY)
    async with MockOap(build_scenario()) as oap:
        print(oap.address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
