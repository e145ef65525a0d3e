"""Load generator: a steady rate of requests through the gateway, with the version that responded to each."""

import asyncio
import time

import aiohttp

from bench.talk.mesh import GATEWAY_PORT
from bench.talk.traffic_split import Call

VERSION_HEADER = "x-version"
"""Header of the application (lab/reviews)."""
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class LoadGenerator:
    """Load generator.

    Args:
        rate: Requests per second.

    Attributes:
        calls: All calls that have ended.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self.calls: list[Call] = []

    async def run(self, gateway: str, host: str) -> None:
        """Send requests until this task is cancelled; a slow response does not delay the next request.

        Args:
            gateway: Address of the gateway's pod.
            host: Host of the VirtualService.
        """
        url = f"http://{gateway}:{GATEWAY_PORT}/reviews/1"
        # Without a limit of connections: requests that wait for a slow version would delay those to the other one.
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            due = time.monotonic()
            while True:
                tasks.create_task(self._call(session, url, host))
                # After a pause of the machine, the rate continues; it is not made up for by a burst.
                due = max(due + 1 / self._rate, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _call(self, session: aiohttp.ClientSession, url: str, host: str) -> None:
        started_at, began = time.time(), time.monotonic()
        version, status = "", 0
        try:
            async with session.get(url, headers={"host": host}) as response:
                await response.read()
                version, status = response.headers.get(VERSION_HEADER, ""), response.status
        except (aiohttp.ClientError, TimeoutError):
            pass  # counted as a call without version
        self.calls.append(Call(started_at, version, status, time.monotonic() - began))
