"""The overloaded service through the real bridge and Argo's own plugin client."""

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from skywalking_provider.mock_oap import MockOap
from skywalking_provider.server import grpc_server, lifecycle, receive_limiter
from skywalking_provider.server.receive_limiter import ReceiveLimiter
from tests.install.argo_client import open_argo_client

RUN = {"metadata": {"namespace": "bookinfo", "name": "reviews"}, "spec": {}}
BLOCK = {"sli": "success-rate", "service": "reviews.bookinfo", "window": "3m", "since": "window"}
METRIC = {"name": "m", "successCondition": "result >= 0.5", "provider": {"plugin": {"skywalking/metrics": BLOCK}}}


async def test_rejected_call_is_retried_by_the_bridge_and_then_its_measurement_waits(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = tmp_path_factory.mktemp("p")  # short: a socket path has at most 107 bytes
    limiter = ReceiveLimiter(1, max_waiting=0, slot_seconds=60, receive_seconds=60)
    monkeypatch.setattr(grpc_server, "ReceiveLimiter", lambda: limiter)
    monkeypatch.setattr(lifecycle, "_new_streams", lambda *_: None)  # so that the bridge makes calls
    monkeypatch.setattr(receive_limiter, "_PUSHBACK_MS", (1, 2))
    async with (
        MockOap("healthy-canary") as oap,
        open_argo_client(oap.url, folder) as host,
        grpc.aio.insecure_channel(f"unix:{folder}/p.sock") as channel,
    ):
        before = (await host.request("run", run=RUN, metric=METRIC))["measurement"]
        call = channel.stream_unary("/metricprovider.v1.MetricProvider/Run")()  # never sends its message
        while "0 slots free" not in repr(limiter):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
        during = (await host.request("run", run=RUN, metric=METRIC))["measurement"]
        call.cancel()
        while "1 slots free" not in repr(limiter):  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)
        after = (await host.request("run", run=RUN, metric=METRIC))["measurement"]

    assert limiter._rejected == 4  # and the first one, which is logged
    assert [one["phase"] for one in (before, during, after)] == ["Successful", "Running", "Successful"]
    assert during["message"].startswith(
        f"PROVIDER_OVERLOADED sidecar at unix://{folder}/p.sock: request not received: "
    )
    assert "resumeAt" in during
