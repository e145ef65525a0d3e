"""A second OAP of a soak test, in a process of its own, whose responses are wrong while a fault is on.

Its process renders the large responses, with a low priority, so that they take no time from the load and from the other
OAP. `python -m bench.soak.hostile_backend` runs it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bench.soak.mock_process import run_mock_process, serve_mock
from bench.soak.workload import build_scenario
from skywalking_provider.mock_oap import FaultKind

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
    async with run_mock_process("bench.soak.hostile_backend") as url:
        yield HostileBackend(url)


if __name__ == "__main__":
    asyncio.run(serve_mock(build_scenario(), _LOW_PRIORITY))
