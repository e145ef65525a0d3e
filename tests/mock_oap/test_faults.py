"""Faults of the OAP, its storage, and proxies in between."""

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


async def test_fault_with_times_applies_to_that_many_requests(oap: MockOap):
    oap.add_fault("status", status=503, times=2)
    responses = [await get_version(oap) for _ in range(3)]
    assert [status for status, _, _ in responses] == [503, 503, 200]
    assert responses[0][2] == "Status: 503\nDescription: Service Unavailable\n"


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502])
async def test_fault_status_responds_with_the_text_of_oaps_server(oap: MockOap, status: int):
    oap.add_fault("status", status=status)
    got, content_type, text = await get_version(oap)
    assert (got, content_type) == (status, "text/plain; charset=utf-8")
    assert text.startswith(f"Status: {status}\n")


@pytest.mark.parametrize("status", [200, 502])
async def test_fault_html_responds_with_a_page(oap: MockOap, status: int):
    oap.add_fault("html", status=status)
    got, content_type, text = await get_version(oap)
    assert (got, content_type) == (status, "text/html; charset=utf-8")
    assert "<html>" in text


async def test_fault_redirect_responds_with_the_location(oap: MockOap):
    oap.add_fault("redirect", location="https://login.example/")
    async with aiohttp.ClientSession() as session, session.post(oap.url, json=READ, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "https://login.example/"


async def test_fault_reset_resets_the_connection(oap: MockOap):
    oap.add_fault("reset", times=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await get_version(oap)
    assert (await get_version(oap))[0] == 200


async def test_fault_latency_delays_the_response(oap: MockOap):
    oap.add_fault("latency", seconds=0.3)
    begin = time.monotonic()
    assert (await get_version(oap))[0] == 200
    assert time.monotonic() - begin >= 0.3


async def test_fault_hang_does_not_respond_until_stop():
    oap = MockOap()
    await oap.start()
    oap.add_fault("hang")
    request = asyncio.create_task(get_version(oap))
    await asyncio.sleep(0.2)
    assert not request.done()
    async with asyncio.timeout(60):
        await oap.stop()
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_fault_truncated_breaks_off_the_response(oap: MockOap):
    oap.add_fault("truncated")
    with pytest.raises(aiohttp.ClientPayloadError):
        await get_version(oap)


async def test_fault_huge_responds_with_the_requested_size(oap: MockOap):
    oap.add_fault("huge", size=3_000_001)
    _, _, text = await get_version(oap)
    assert len(text) == 3_000_001
    assert set(json.loads(text)["data"]["version"]) == {"x"}


async def test_fault_wrong_types_fills_the_first_list(oap: MockOap):
    oap.add_fault("wrong-types", size=1_000_000)

    layers = (await post(oap, "{ layers: listLayers }"))["data"]["layers"]

    assert len(layers) == 200_001
    assert set(layers) == {True}
    assert json.loads((await get_version(oap))[2])["data"]["version"]  # no list: unchanged


async def test_fault_response_is_returned_verbatim(oap: MockOap):
    oap.respond_with("[1, 2", status=207, content_type="application/x-odd", match="version")
    assert await get_version(oap) == (207, "application/x-odd", "[1, 2")
    assert "data" in await post(oap, READ["query"])


async def test_fault_storage_down_fails_only_requests_that_read_the_storage(oap: MockOap):
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


async def test_requests_received_are_recorded(oap: MockOap):
    await get_version(oap, headers={"Authorization": "Basic Zm9v"})
    (recorded,) = oap.requests
    assert (recorded.method, recorded.path, recorded.json) == ("POST", "/graphql", {"query": "{ version }"})
    assert recorded.headers["Authorization"] == "Basic Zm9v"


async def test_faults_are_enabled_and_disabled_over_http(oap: MockOap):
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
            assert [json.loads(one["body"]) for one in await response.json()] == [{"query": "{ version }"}] * 2


def test_parse_fault_of_the_command_line_returns_it():
    assert Fault.parse("storage-down:seconds=2.5") == Fault(kind=FaultKind.STORAGE_DOWN, seconds=2.5)
    assert Fault.parse("status:status=503,times=3") == Fault(kind=FaultKind.STATUS, status=503, times=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("earthquake", "kind: Input should be 'latency'"),
        ("latency:seconds=soon", "seconds: Input should be a valid number"),
        ("status:503", "'503' is not key=value"),
        ("html:colour=red", "colour: Extra inputs are not permitted"),
    ],
)
def test_parse_fault_invalid_detail_is_rejected_with_its_place(text: str, message: str):
    with pytest.raises(FaultError) as raised:
        Fault.parse(text)
    assert message in str(raised.value)
