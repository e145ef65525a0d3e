"""An OAP's clock and zone, from `getTimeInfo`: asked seldom, by one at a time."""

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from skywalking_provider.errors import BackendAway, ProviderError, Reason
from skywalking_provider.model import Deadline, OapTime
from skywalking_provider.oap.client import OapClient
from skywalking_provider.plan import Read

_TIME_INFO = Read("query { getTimeInfo { timezone currentTimestamp } }", {})


class OapClock:
    """Caches what `getTimeInfo` said for `ttl`.

    Args:
        client: Where to ask.
        ttl: How long an answer is used.
        now: Our own clock.
    """

    def __init__(self, client: OapClient, ttl: timedelta, now: Callable[[], datetime]) -> None:
        self._client = client
        self._ttl = ttl.total_seconds()
        self._now = now
        # The state: the last answer, until which monotonic instant it is used, and who may renew it.
        self._time: OapTime | None = None
        self._good_until = 0.0
        self._renewing = asyncio.Lock()

    async def read(self, deadline: Deadline) -> OapTime:
        """The OAP's clock.

        Raises:
            BackendAway: It cannot be asked now.
            ProviderError: It refuses, or its answer is none.
        """
        if self._time is not None and time.monotonic() < self._good_until:
            return self._time
        try:
            async with asyncio.timeout(deadline.remaining), self._renewing:
                if self._time is None or time.monotonic() >= self._good_until:
                    self._time = await self._ask(deadline)
                    self._good_until = time.monotonic() + self._ttl
                return self._time
        except TimeoutError as error:
            raise BackendAway("the OAP's clock could not be read in time") from error

    async def _ask(self, deadline: Deadline) -> OapTime:
        before = self._now()
        data = await self._client.read(_TIME_INFO, deadline)
        return time_from(data, before + (self._now() - before) / 2)


def time_from(data: dict[str, object], ours: datetime) -> OapTime:
    """Read the answer of `getTimeInfo`.

    Args:
        data: The GraphQL data.
        ours: Our clock in the middle of the request.

    Raises:
        ProviderError: The answer has not the form of SkyWalking's.
    """
    match data:
        case {"getTimeInfo": {"timezone": str(zone), "currentTimestamp": int(milliseconds)}}:
            theirs = datetime.fromtimestamp(milliseconds / 1000, UTC)
            return OapTime(theirs - ours, parse_zone(zone))
    raise ProviderError(
        Reason.OAP_ANSWER_INVALID, "getTimeInfo was answered without zone and time", "is the backend a SkyWalking OAP?"
    )


def parse_zone(text: str) -> timezone:
    """Read SkyWalking's zone, an offset such as "+0800", "-0330" or "+0545".

    Raises:
        ProviderError: It is none.
    """
    found = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text)
    if not found or int(found[3]) >= 60:
        raise ProviderError(Reason.OAP_ANSWER_INVALID, f"getTimeInfo names a zone that is no offset: {text[:20]!r}")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if offset >= timedelta(hours=24):
        raise ProviderError(Reason.OAP_ANSWER_INVALID, f"getTimeInfo names an impossible offset: {text!r}")
    return timezone(-offset if found[1] == "-" else offset)
