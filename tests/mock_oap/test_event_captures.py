"""The mock stores and returns events as the recorded OAPs did: the exchanges are repeated in their order."""

import json
from typing import Any

import aiohttp
import pytest

from skywalking_provider.mock_oap import MockOap
from tests.mock_oap.recordings import CAPTURES

_CLASS = "java.lang.IllegalArgumentException: "
"""OAP since 10.0 prefixes a message with the Java class of the exception, and the mock does not."""


def load_exchanges(version: str) -> list[dict[str, Any]]:
    return json.loads((CAPTURES / version / "events.json").read_text())["exchanges"]


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_mock_repeated_exchanges_responds_as_recorded(version: str) -> None:
    async with MockOap(version=version) as oap, aiohttp.ClientSession() as session:
        for exchange in load_exchanges(version):
            body = exchange["body"]
            async with session.request(
                exchange["method"],
                oap.address + exchange["path"],
                data=body if isinstance(body, str) or body is None else json.dumps(body),
                headers={"Content-Type": exchange["contentType"]} if exchange["contentType"] else {},
                skip_auto_headers=["Content-Type"],
            ) as response:
                got = response.status, response.headers.get("Content-Type"), parse(await response.text())
            expected = exchange["status"], exchange["responseContentType"], parse(exchange["response"])
            assert got == expected, body


def parse(text: str) -> object:
    return json.loads(text.replace(_CLASS, "")) if text.startswith("{") else text


def test_recordings_have_reads_of_merged_and_of_lost_events() -> None:
    for version in ("9.6.0", "10.1.0"):
        exchanges = load_exchanges(version)
        reads = [one["response"] for one in exchanges if one["path"] == "/graphql"]
        assert len(reads) > 25
        assert any("CONDITION_NOT_MET" in one for one in reads)
        assert sum(one == '{"data":{"queryEvents":{"events":[]}}}' for one in reads) > 5
