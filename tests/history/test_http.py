"""HTTP application of the page: loopback only, read-only, host allowlist and security headers."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc.aio
import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer

from skywalking_provider.config import Config, PageConfig
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.history.http import build_history_app
from skywalking_provider.history.store import History
from skywalking_provider.history.view import HistoryView
from skywalking_provider.mock_oap import ManualClock, MockOap
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server
from tests.history.harness import NOON, build_event

STATIC = ("/static/page.css", "/static/page.js", "/static/icon.svg")


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    history = History(500, ManualClock(NOON))
    history.add(build_event())
    config = PageConfig.model_validate({"hosts": ["argo.example.org"]})
    app = build_history_app(config, history, HistoryView(["prod"], 500), ManualClock(NOON))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", *STATIC, "/nothing"])
async def test_responses_have_strict_security_headers(client: TestClient, path: str) -> None:
    response = await client.get(path)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))

    assert policy.pop("default-src") == "'none'"
    assert {policy.pop(name) for name in ("base-uri", "frame-ancestors", "trusted-types")} == {"'none'"}
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'self'"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_other_than_get_are_rejected(client: TestClient, method: str) -> None:
    for path in ("/", *STATIC):
        assert (await client.request(method, path)).status == 405


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:9465", "[::1]:80", "LOCALHOST:1", "argo.example.org", "Argo.Example.org:443"]
)
async def test_host_allowed_is_served(client: TestClient, host: str) -> None:
    assert (await client.get("/", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9465", "evil.example@127.0.0.1", "10.0.0.1", ""],
)
@pytest.mark.parametrize("path", ["/", "/static/page.js"])
async def test_host_unknown_is_rejected(client: TestClient, host: str, path: str) -> None:
    response = await client.get(path, headers={"Host": host})

    assert response.status == 421
    assert "apdex" not in await response.text()


async def test_page_loads_nothing_from_other_hosts(client: TestClient) -> None:
    for path in ("/", *STATIC):
        text = await (await client.get(path)).text()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text


async def test_page_has_no_inline_script_or_style(client: TestClient) -> None:
    text = await (await client.get("/")).text()

    assert "<style" not in text
    assert "style=" not in text
    assert "onclick" not in text
    assert text.count("<script") == text.count('<script src="/static/page.js" defer></script>') == 1


@pytest.mark.parametrize("listen", ["0.0.0.0:9465", "10.1.2.3:9465", "[::]:9465", "example.org:80"])
def test_listen_beyond_loopback_is_rejected_with_a_hint(listen: str) -> None:
    with pytest.raises(ValueError, match="kubectl port-forward"):
        PageConfig.model_validate({"listen": listen})


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:9465", "localhost:9465", "127.8.8.8:1"])
def test_listen_on_loopback_is_accepted(listen: str) -> None:
    assert PageConfig.model_validate({"listen": listen}).listen == listen


async def test_service_opens_the_configured_page(tmp_path: Path) -> None:
    config = Config.model_validate(
        {"backends": {"prod": {"url": "http://127.0.0.1:9"}}, "page": {"listen": "127.0.0.1:0"}}
    )
    async with (
        open_server(config, Endpoint(tmp_path / "p.sock", None)) as server,
        aiohttp.request("GET", f"http://{server.addresses['page']}/") as response,
    ):
        assert response.status == 200
        assert "No measurement yet" in await response.text()


async def test_page_token_repeated_by_an_oap_is_redacted(tmp_path: Path) -> None:
    path, token = tmp_path / "p.sock", "hunter2-hunter2"
    scenario = {"services": [{"name": f"reviews.{token}", "traffic": [{"calls": 60, "latencies": [10]}]}]}
    (tmp_path / "echo.yaml").write_text(yaml.safe_dump({"description": "repeats the token"} | scenario))
    async with MockOap(tmp_path / "echo.yaml") as oap:
        config = Config.model_validate(
            {
                "backends": {"prod": {"url": oap.url, "bearer": {"token": token}}},
                "page": {"listen": "127.0.0.1:0"},
            }
        )
        block = {"expression": "service_cpm", "window": "3m", "service": f"reviews.{token}", "since": "window"}
        metric = pb.Metric(name="calls", success_condition="result == 0", block=json.dumps(block).encode())
        async with (
            open_server(config, Endpoint(path, None)) as server,
            grpc.aio.insecure_channel(f"unix:{path}") as channel,
        ):
            await rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=metric), timeout=10)
            async with aiohttp.request("GET", f"http://{server.addresses['page']}/") as response:
                text = await response.text()

    assert "calls" in text
    assert "reviews.********" in text
    assert token not in text
