"""Response cache: late data are not missed, and responses for immutable windows are reused longer."""

import asyncio
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.metric_values import SeriesRequest, build_request
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.api.response_data import ResponseData
from skywalking_provider.oap.traffic.response_cache import ResponseCache, is_immutable
from tests.oap.virtual_time import (
    NOON,
    ScriptedClient,
    deadline_after,
    in_virtual_time,
    monotonic,
    open_scripted_backends,
)

MINUTE = timedelta(minutes=1)
SETTLE = timedelta(seconds=60)


def window(ended: timedelta) -> Window:
    """Return ten minutes that ended this long before noon."""
    end = NOON.replace(second=0) - ended
    return Window(end - 10 * MINUTE, end)


async def oap_like(read: GraphqlRequest) -> dict[str, Any]:
    if "getTimeInfo" in read.query:
        milliseconds = round((NOON.timestamp() + monotonic()) * 1000)
        return {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": milliseconds}}
    return {"a": 1}


@pytest.mark.parametrize(
    ("ended", "after", "requests"),
    [
        (1 * MINUTE, 6, 1),
        (1 * MINUTE, 8, 2),  # younger than twice the settle delay: responseTtl
        (2 * MINUTE, 500, 1),
        (2 * MINUTE, 601, 2),  # after IMMUTABLE_TTL_SECONDS
        (60 * MINUTE, 500, 1),
    ],
)
def test_response_ttl_depends_on_the_age_of_the_window(ended: timedelta, after: float, requests: int) -> None:
    @in_virtual_time
    async def read_twice() -> None:
        oap = ScriptedClient(oap_like)
        async with open_scripted_backends({"prod": oap}, clockTtl="3600s") as backends:
            backend = backends.select(None, None, "team")
            await backend.connection.time(deadline_after(5))
            for start in (0.0, after):
                assert monotonic() == start
                read = build_request([SeriesRequest("e", "service_cpm", Entity("reviews"))], window(ended), mqe=True)
                await backend.read(read, deadline_after(5))
                await wait_until(after)
        assert sum("getTimeInfo" not in read.query for _, read in oap.requests) == requests

    read_twice()


@in_virtual_time
async def test_old_window_without_a_known_clock_has_the_short_ttl() -> None:
    oap = ScriptedClient(oap_like)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        read = build_request([SeriesRequest("e", "service_cpm", Entity("reviews"))], window(60 * MINUTE), mqe=True)
        await backend.read(read, deadline_after(5))
        await wait_until(11)
        await backend.read(read, deadline_after(5))

    assert len(oap.requests) == 2


@in_virtual_time
async def test_authors_query_with_an_old_duration_has_the_short_ttl() -> None:
    oap = ScriptedClient(oap_like)
    async with open_scripted_backends({"prod": oap}) as backends:
        backend = backends.select(None, None, "team")
        await backend.connection.time(deadline_after(5))
        read = GraphqlRequest("query($duration: Duration!) { a }", {"duration": {"start": "2020-01-01 0000"}})
        await backend.read(read, deadline_after(5))
        await wait_until(11)
        await backend.read(read, deadline_after(5))

    assert len(oap.requests) == 3


@given(st.timedeltas(timedelta(0), timedelta(hours=2)), st.timedeltas(timedelta(0), timedelta(minutes=10)))
def test_window_is_immutable_by_the_age_of_its_youngest_bucket(age: timedelta, settle: timedelta) -> None:
    end = NOON.replace(second=0)

    assert is_immutable(Window(end - MINUTE, end), settle, end + age) == (age >= max(2 * settle, MINUTE))


def test_cache_is_bounded_in_number_and_size() -> None:
    cache = ResponseCache(lambda: 0.0)
    for at in range(10_000):
        cache.put(str(at).encode(), ResponseData.from_data({}, 10), expires_at=60)
    assert 1000 < len(cache) <= 4096
    assert cache.get(b"9999") == {}

    for at in range(200):
        text = random.Random(at).randbytes(30_000).hex()  # noqa: S311 - a text that compresses badly
        cache.put(f"large {at}".encode(), ResponseData.from_data({"text": text}, 60_000), expires_at=60)
    assert len(cache) < 100

    cache.put(b"too large", ResponseData.from_data({}, 140_000), expires_at=60)
    assert cache.get(b"too large") is None


def test_cache_holds_the_instances_of_many_services_over_an_hour() -> None:
    cache = ResponseCache(lambda: 0.0)
    services = {str(at).encode(): series_of_instances(instances=10, seed=at) for at in range(80)}
    for key, data in services.items():
        cache.put(key, ResponseData.from_data(data, len(json.dumps(data))), expires_at=60)

    assert {key: cache.get(key) for key in services} == services


def series_of_instances(*, instances: int, seed: int) -> dict[str, Any]:
    """Return a response with an hour of two metrics of each instance."""
    numbers = random.Random(seed)  # noqa: S311

    def values() -> list[dict[str, str]]:
        minutes = range(1_795_477_500_000, 1_795_481_100_000, 60_000)
        return [{"id": str(minute), "value": str(numbers.randrange(10_000))} for minute in minutes]

    return {f"{metric}{at}": {"results": [{"values": values()}]} for metric in "cv" for at in range(instances)}


@given(st.integers(-2, 2), st.integers(-2, 2))
def test_response_is_cached_until_an_instant_that_is_ahead(expires_in: int, waited: int) -> None:
    now = 100.0
    cache = ResponseCache(lambda: now)

    cache.put(b"q", {"a": 1}, expires_at=100.0 + expires_in)
    now += waited

    assert cache.get(b"q") == ({"a": 1} if expires_in > max(0, waited) else None)


def test_response_of_128_ki_characters_is_the_largest_that_is_cached() -> None:
    cache = ResponseCache(lambda: 0.0)

    cache.put(b"largest", ResponseData.from_data({}, 128 * 1024), expires_at=60)
    cache.put(b"larger", ResponseData.from_data({}, 128 * 1024 + 1), expires_at=60)

    assert (cache.get(b"largest"), cache.get(b"larger")) == ({}, None)


@pytest.mark.parametrize(("settle", "oldest"), [(SETTLE, 2 * SETTLE), (timedelta(0), MINUTE)])
def test_window_is_immutable_from_twice_the_settle_delay_on(settle: timedelta, oldest: timedelta) -> None:
    read = window(timedelta(0))

    assert is_immutable(read, settle, read.end + oldest)
    assert not is_immutable(read, settle, read.end + oldest - timedelta(microseconds=1))
    assert not is_immutable(read, settle, None)
    assert not is_immutable(None, settle, read.end + oldest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@example({"values": [str(at) for at in range(2000)]})  # compressed
def test_cached_response_is_not_changed_by_its_readers(data: dict[str, Any]) -> None:
    cache = ResponseCache(lambda: 0.0)
    cache.put(b"q", ResponseData.from_data(data, 10), expires_at=float("inf"))
    first = cache.get(b"q")
    assert first == data
    assert isinstance(first, ResponseData)
    assert first.size == 10
    first["changed"] = True
    assert cache.get(b"q") == data


async def wait_until(instant: float) -> None:
    await asyncio.sleep(instant - monotonic())
