"""Faults: what a client meets when an OAP, its storage or something in between is unwell."""

import asyncio
import json
import time

import aiohttp
import pytest

from skywalking_provider.mock_oap import Fault, FaultError, FaultKind, MockOap
from tests.mock_oap.client import post

VERSION = {"data": {"version": "10.1.0-d28dfea"}}
READ = {"query": "{ listServices { name } }"}


async def get_version(oap: MockOap, **options) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(oap.url, json={"query": "{ version }"}, **options) as response,
    ):
        return response.status, response.headers.get("Content-Type", ""), await response.text()


@pytest.fixture
async def oap():
    async with MockOap() as running:
        yield running


async def test_a_fault_is_met_as_often_as_it_was_asked_for(oap: MockOap):
    oap.add_fault("status", status=503, times=2)
    answers = [await get_version(oap) for _ in range(3)]
    assert [status for status, _, _ in answers] == [503, 503, 200]
    assert answers[0][2] == "Status: 503\nDescription: Service Unavailable\n"


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502])
async def test_a_status_is_answered_as_oaps_server_words_it(oap: MockOap, status: int):
    oap.add_fault("status", status=status)
    got, content_type, text = await get_version(oap)
    assert (got, content_type) == (status, "text/plain; charset=utf-8")
    assert text.startswith(f"Status: {status}\n")


@pytest.mark.parametrize("status", [200, 502])
async def test_a_page_comes_instead_of_json(oap: MockOap, status: int):
    oap.add_fault("html", status=status)
    got, content_type, text = await get_version(oap)
    assert (got, content_type) == (status, "text/html; charset=utf-8")
    assert "<html>" in text


async def test_a_redirect_names_where_to(oap: MockOap):
    oap.add_fault("redirect", location="https://login.example/")
    async with aiohttp.ClientSession() as session, session.post(oap.url, json=READ, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "https://login.example/"


async def test_a_connection_is_reset(oap: MockOap):
    oap.add_fault("reset", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await get_version(oap)
    assert (await get_version(oap))[0] == 200


async def test_latency_delays_the_right_answer(oap: MockOap):
    oap.add_fault("latency", seconds=0.3)
    begin = time.monotonic()
    assert (await get_version(oap))[0] == 200
    assert time.monotonic() - begin >= 0.3


async def test_a_hanging_server_answers_nothing_and_still_stops():
    oap = MockOap()
    await oap.start()
    oap.add_fault("hang")
    asking = asyncio.create_task(get_version(oap))
    await asyncio.sleep(0.2)
    assert not asking.done()
    async with asyncio.timeout(60):
        await oap.stop()
    with pytest.raises(aiohttp.ClientError):
        await asking


async def test_a_truncated_answer_breaks_off(oap: MockOap):
    oap.add_fault("truncated")
    with pytest.raises(aiohttp.ClientPayloadError):
        await get_version(oap)


async def test_a_huge_answer_is_as_long_as_it_was_asked_for(oap: MockOap):
    oap.add_fault("huge", size=3_000_001)
    _, _, text = await get_version(oap)
    assert len(text) == 3_000_001
    assert set(json.loads(text)["data"]["version"]) == {"x"}


async def test_an_answer_can_be_given_to_the_letter(oap: MockOap):
    oap.respond_with("[1, 2", status=207, content_type="application/x-odd", match="version")
    assert await get_version(oap) == (207, "application/x-odd", "[1, 2")
    assert "data" in await post(oap, READ["query"])


async def test_without_storage_only_what_needs_none_is_answered(oap: MockOap):
    oap.add_fault("storage-down", seconds=0)
    assert "getTimeInfo" in (await post(oap, "{ getTimeInfo { timezone } }"))["data"]
    first = await post(oap, READ["query"])
    assert first["data"] is None
    assert "terminating connection due to administrator command" in first["errors"][0]["message"]
    async with aiohttp.ClientSession() as session, session.post(oap.url, json=READ) as response:
        assert response.status == 503
    assert await post(oap, "{ version }") == VERSION
    oap.clear_faults()
    assert (await post(oap, READ["query"]))["data"]


async def test_requests_are_recorded(oap: MockOap):
    await get_version(oap, headers={"Authorization": "Basic Zm9v"})
    (seen,) = oap.requests
    assert (seen.method, seen.path, seen.json) == ("POST", "/graphql", {"query": "{ version }"})
    assert seen.headers["Authorization"] == "Basic Zm9v"


async def test_faults_are_switched_over_http(oap: MockOap):
    faults = f"{oap.address}/mock/faults"
    async with aiohttp.ClientSession() as session:
        async with session.post(faults, json=[{"kind": "status", "status": 500}, {"kind": "reset"}]) as response:
            assert await response.json() == [{"kind": "status", "status": 500}, {"kind": "reset"}]
        assert (await get_version(oap))[0] == 500
        async with session.post(faults, json={"kind": "earthquake"}) as response:
            assert response.status == 400
            assert (await response.json())["error"].startswith("kind: Input should be 'latency'")
        async with session.post(faults, data="nonsense") as response:
            assert response.status == 400
        async with session.delete(faults) as response:
            assert await response.json() == []
        assert (await get_version(oap))[0] == 200
        async with session.get(f"{oap.address}/mock/requests") as response:
            assert [json.loads(seen["body"]) for seen in await response.json()] == [{"query": "{ version }"}] * 2


def test_a_fault_is_read_from_the_command_line():
    assert Fault.parse("storage-down:seconds=2.5") == Fault(kind=FaultKind.STORAGE_DOWN, seconds=2.5)
    assert Fault.parse("status:status=503,times=3") == Fault(kind=FaultKind.STATUS, status=503, times=3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("earthquake", "kind: Input should be 'latency'"),
        ("latency:seconds=soon", "seconds: Input should be a valid number"),
        ("status:503", "'503' is no key=value"),
        ("html:colour=red", "colour: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_fault_is_refused_at_its_place(text: str, told: str):
    with pytest.raises(FaultError) as refused:
        Fault.parse(text)
    assert told in str(refused.value)
