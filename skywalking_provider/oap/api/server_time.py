"""An OAP's clock and zone, from `getTimeInfo`."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import structlog

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.responses import TIME_INFO, raise_invalid_response

_log = structlog.get_logger()

# A clock beyond this is no clock, and Python's own reckoning ends not far from it.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000 for year in (2000, 2200))

_TIME_INFO_REQUEST = GraphqlRequest("query { getTimeInfo { timezone currentTimestamp } }", {})


@dataclass(frozen=True, slots=True)
class ServerClock:
    """An OAP's clock and zone as seen from here; `ahead` is its clock less ours."""

    offset: timedelta
    zone: tzinfo

    def to_server(self, local_time: datetime) -> datetime:
        """The OAP's wall clock at an instant of ours."""
        return (local_time + self.offset).astimezone(self.zone)

    def to_local(self, server_time: datetime) -> datetime:
        """The instant of ours at which the OAP's clock shows `theirs`."""
        return server_time - self.offset


async def fetch_server_clock(
    execute: Callable[[GraphqlRequest], Awaitable[dict[str, Any]]], now: Callable[[], datetime], zone: tzinfo | None
) -> ServerClock:
    """Ask an OAP for its clock.

    Args:
        execute: Asks the OAP, now and not from memory.
        now: Our own clock.
        zone: The zone that the configuration names; used where its offset is the one that the OAP tells.

    Raises:
        BackendAway: It cannot be asked now.
        ProviderError: It refuses, or its answer is none.
    """
    before = now()
    data = await execute(_TIME_INFO_REQUEST)
    return apply_zone(parse_server_clock(data, before + (now() - before) / 2), zone, now())


def parse_server_clock(data: Mapping[str, Any], local_time: datetime) -> ServerClock:
    """Read the answer of `getTimeInfo`.

    Args:
        data: The GraphQL data.
        local_time: Our clock in the middle of the request.

    Raises:
        ProviderError: The answer has not the form of SkyWalking's.
    """
    clock = TIME_INFO.parse(data, "getTimeInfo")
    if not _EARLIEST <= clock.milliseconds < _LATEST:
        raise_invalid_response("getTimeInfo.currentTimestamp", str(clock.milliseconds))
    return ServerClock(datetime.fromtimestamp(clock.milliseconds / 1000, UTC) - local_time, parse_zone(clock.timezone))


def apply_zone(clock: ServerClock, zone: tzinfo | None, now: datetime) -> ServerClock:
    """The same clock in the zone of that name, if it is the OAP's; a wrong name is not believed."""
    if zone is None:
        return clock
    theirs = clock.to_server(now)
    if theirs.astimezone(zone).utcoffset() != theirs.utcoffset():
        _log.warning("the configured timezone is not the OAP's", configured=str(zone), offset=theirs.strftime("%z"))
        return clock
    return ServerClock(clock.offset, zone)


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
