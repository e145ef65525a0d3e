"""Comparison of the ids of a response's buckets with the buckets of the requested window. Pure.

An OAP writes the time of a bucket into its id. A cache in front of it, or an OAP that resolves the window in another
zone, can respond with the buckets of another window; their numbers look right.

- An expression of the type TIME_SERIES_VALUES has milliseconds since 1970: "1795477500000". A single value has the time
  of the bucket that it was taken from, or none. The ids of a ranking are names.
- The other reads have the local time of the bucket, which OAP 9.2 writes first and newer ones after the metric:
  "202611232345_Y2FuYXJ5.1", "service_cpm_202611232345_Y2FuYXJ5.1".
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Window
from skywalking_provider.support.instants import instant_from_epoch

_LOCAL_TIME = "%Y%m%d%H%M"
_MAX_ID = 256
_MAX_QUOTED = 40
_CACHED_WINDOWS = 64


def check_millisecond_ids(path: str, ids: Iterable[str | None], window: Window) -> None:
    """Check the ids of an expression's values. Null ids are not checked.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, if a bucket is not one of the window, or is out of order.
    """
    expected = _milliseconds(window, window.end.tzinfo)
    at = 0
    for one in ids:
        if one is not None:
            while at < len(expected) and one not in expected[at]:
                at += 1
            if at == len(expected):
                raise _error(path, _format_milliseconds(one, window), window)
        at += 1


def check_local_time_ids(path: str, ids: Iterable[str | None], window: Window) -> None:
    """Check the ids of a V2 read's values. Missing ids are not checked.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID, if a bucket is not one of the window, or is out of order.
    """
    expected = _local_times(window, window.end.tzinfo)
    at = 0
    for one in ids:
        if one is not None:
            parts = one[:_MAX_ID].split("_")
            while at < len(expected) and expected[at] not in parts:
                at += 1
            if at == len(expected):
                raise _error(path, repr(one[:_MAX_QUOTED]), window)
        at += 1


def _error(path: str, actual: str, window: Window) -> ProviderError:
    start, end = (f"{one:%Y-%m-%d %H:%M %z}" for one in (window.start, window.end))
    return ProviderError(
        Reason.OAP_RESPONSE_INVALID,
        f"response is not for the requested window: {path} has the bucket {actual}, requested were {start} to {end}",
        "Check caches in front of the OAP, its clock, and the backend's timezone",
    )


# The zone is an argument of its own, because windows of different zones may be equal.
@lru_cache(_CACHED_WINDOWS)
def _milliseconds(window: Window, zone: tzinfo | None) -> Sequence[frozenset[str]]:
    """Return the texts of each bucket. Of two equal local times, as the clock is put back, OAP takes the first."""
    return tuple(
        frozenset(str(round(one.timestamp() * 1000)) for one in (instant, instant.replace(fold=0)))
        for instant in _instants(window, zone)
    )


@lru_cache(_CACHED_WINDOWS)
def _local_times(window: Window, zone: tzinfo | None) -> Sequence[str]:
    return tuple(instant.strftime(_LOCAL_TIME) for instant in _instants(window, zone))


def _instants(window: Window, zone: tzinfo | None) -> Iterable[datetime]:
    start = window.start.astimezone(UTC)
    return ((start + at * window.step).astimezone(zone) for at in range(window.buckets))


def _format_milliseconds(text: str, window: Window) -> str:
    instant = instant_from_epoch(int(text) // 1000, 0) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return repr(text[:_MAX_QUOTED]) if instant is None else f"{instant.astimezone(window.end.tzinfo):%Y-%m-%d %H:%M %z}"
