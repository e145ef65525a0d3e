"""An OAP of a soak test whose services fail, in a process of its own. It has endpoints, traces and error logs.

`python -m bench.soak.failing_backend` runs it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bench.soak.mock_process import run_mock_process, serve_mock
from bench.soak.workload import build_failing_scenario


class FailingBackend:
    """Control of the OAP.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def fetch_bodies(self) -> list[str]:
        """Return the bodies of the last ten thousand requests, the oldest first."""
        async with (
            aiohttp.ClientSession(raise_for_status=True) as session,
            session.get(f"{self.url}/mock/requests") as response,
        ):
            return [str(one["body"]) for one in await response.json()]


@asynccontextmanager
async def run_failing_backend() -> AsyncIterator[FailingBackend]:
    """Run the OAP on a free port of loopback."""
    async with run_mock_process("bench.soak.failing_backend") as url:
        yield FailingBackend(url)


if __name__ == "__main__":
    asyncio.run(serve_mock(build_failing_scenario()))
