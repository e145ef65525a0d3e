"""Clock and zone of an OAP, from `getTimeInfo`."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import structlog

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_parser import raise_invalid_response
from skywalking_provider.oap.api.responses import TIME_INFO
from skywalking_provider.support.durations import format_duration

_log = structlog.get_logger()

# A clock outside of this range is invalid; Python's datetime ends not far from it.
_EARLIEST, _LATEST = (datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000 for year in (2000, 2200))

TIME_INFO_REQUEST = GraphqlRequest("query { getTimeInfo { timezone currentTimestamp } }", {})


MAX_CLOCK_SKEW = timedelta(seconds=60)
"""Difference of clocks from which messages name it: one bucket. Clocks that NTP sets differ by milliseconds."""


@dataclass(frozen=True, slots=True)
class ServerClock:
    """Clock and zone of an OAP. `offset` is its clock minus the local clock."""

    offset: timedelta
    zone: tzinfo

    def to_server(self, local_time: datetime) -> datetime:
        """Return the OAP's wall clock at an instant of the local clock."""
        return (local_time + self.offset).astimezone(self.zone)

    def to_local(self, server_time: datetime) -> datetime:
        """Return the instant of the local clock at which the OAP's clock shows `server_time`."""
        return server_time - self.offset


def describe_clock_skew(offset: timedelta) -> str:
    """Return how far an OAP's clock is from the local clock; empty below MAX_CLOCK_SKEW.

    Args:
        offset: Clock of the OAP minus the local clock.
    """
    if abs(offset) < MAX_CLOCK_SKEW:
        return ""
    days, rest = divmod(abs(offset), timedelta(days=1))
    parts = [f"{days}d" if days else "", format_duration(timedelta(minutes=rest // timedelta(minutes=1)))]
    direction = "ahead of" if offset > timedelta(0) else "behind"
    return f"{''.join(part for part in parts if part != '0s')} {direction} the provider's"


async def fetch_server_clock(
    execute: Callable[[GraphqlRequest], Awaitable[dict[str, Any]]], now: Callable[[], datetime], zone: tzinfo | None
) -> ServerClock:
    """Fetch the clock of an OAP.

    Args:
        execute: Sends a request without a cache.
        now: Local clock.
        zone: Configured zone; used while its offset is that of the OAP.

    Raises:
        BackendUnavailableError: The OAP is unavailable.
        ProviderError: The OAP rejects the request, or its response is not valid.
    """
    before = now()
    data = await execute(TIME_INFO_REQUEST)
    return apply_zone(parse_server_clock(data, before + (now() - before) / 2), zone, now())


def parse_server_clock(data: Mapping[str, Any], local_time: datetime) -> ServerClock:
    """Parse the response of `getTimeInfo`.

    Args:
        data: GraphQL data of the response.
        local_time: Local clock in the middle of the request.

    Raises:
        ProviderError: The response has an unexpected form.
    """
    clock = TIME_INFO.parse(data, "getTimeInfo")
    if not _EARLIEST <= clock.milliseconds < _LATEST:
        raise_invalid_response("getTimeInfo.currentTimestamp", str(clock.milliseconds))
    return ServerClock(datetime.fromtimestamp(clock.milliseconds / 1000, UTC) - local_time, parse_zone(clock.timezone))


def apply_zone(clock: ServerClock, zone: tzinfo | None, now: datetime) -> ServerClock:
    """Return the clock in the configured zone; keep the OAP's offset if that of the zone differs."""
    if zone is None:
        return clock
    server_time = clock.to_server(now)
    if server_time.astimezone(zone).utcoffset() != server_time.utcoffset():
        _log.warning(
            "configured timezone ignored: its offset is not the OAP's",
            configured=str(zone),
            offset=server_time.strftime("%z"),
        )
        return clock
    return ServerClock(clock.offset, zone)


def parse_zone(text: str) -> timezone:
    """Parse SkyWalking's zone, an offset such as "+0800", "-0330" or "+0545".

    Raises:
        ProviderError: The text is not an offset.
    """
    match = re.fullmatch(r"([+-])(\d{2}):?(\d{2})", text)
    if not match or int(match[3]) >= 60:
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, f"getTimeInfo.timezone is not an offset: {text[:20]!r}")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if offset >= timedelta(hours=24):
        raise ProviderError(Reason.OAP_RESPONSE_INVALID, f"getTimeInfo.timezone is out of range: {text!r}")
    return timezone(-offset if match[1] == "-" else offset)
