"""An OAP's clock and zone, from `getTimeInfo`."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import structlog

from skywalking_provider.answers import CLOCK, refuse
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import OapTime
from skywalking_provider.plan import Read

_log = structlog.get_logger()

# A clock beyond this is no clock, and Python's own reckoning ends not far from it.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000 for year in (2000, 2200))

_TIME_INFO = Read("query { getTimeInfo { timezone currentTimestamp } }", {})


async def ask_time(
    ask: Callable[[Read], Awaitable[dict[str, Any]]], now: Callable[[], datetime], zone: tzinfo | None
) -> OapTime:
    """Ask an OAP for its clock.

    Args:
        ask: Asks the OAP, now and not from memory.
        now: Our own clock.
        zone: The zone that the configuration names; used where its offset is the one that the OAP tells.

    Raises:
        BackendAway: It cannot be asked now.
        ProviderError: It refuses, or its answer is none.
    """
    before = now()
    data = await ask(_TIME_INFO)
    return in_zone(time_from(data, before + (now() - before) / 2), zone, now())


def time_from(data: Mapping[str, Any], ours: datetime) -> OapTime:
    """Read the answer of `getTimeInfo`.

    Args:
        data: The GraphQL data.
        ours: Our clock in the middle of the request.

    Raises:
        ProviderError: The answer has not the form of SkyWalking's.
    """
    clock = CLOCK.read(data, "getTimeInfo")
    if not _EARLIEST <= clock.milliseconds < _LATEST:
        refuse("getTimeInfo.currentTimestamp", str(clock.milliseconds))
    return OapTime(datetime.fromtimestamp(clock.milliseconds / 1000, UTC) - ours, parse_zone(clock.timezone))


def in_zone(time: OapTime, zone: tzinfo | None, now: datetime) -> OapTime:
    """The same clock in the zone of that name, if it is the OAP's; a wrong name is not believed."""
    if zone is None:
        return time
    theirs = time.at(now)
    if theirs.astimezone(zone).utcoffset() != theirs.utcoffset():
        _log.warning("the configured timezone is not the OAP's", configured=str(zone), offset=theirs.strftime("%z"))
        return time
    return OapTime(time.ahead, zone)


def parse_zone(text: str) -> timezone:
    """Read SkyWalking's zone, an offset such as "+0800", "-0330" or "+0545".

    Raises:
        ProviderError: It is none.
    """
    found = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text)
    if not found or int(found[3]) >= 60:
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, f"getTimeInfo names a zone that is no offset: {text[:20]!r}")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if offset >= timedelta(hours=24):
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, f"getTimeInfo names an impossible offset: {text!r}")
    return timezone(-offset if found[1] == "-" else offset)
