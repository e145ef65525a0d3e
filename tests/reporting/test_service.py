"""The service with a mock OAP: events are read back, and a failing event API changes no measurement."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest

from skywalking_provider.config import Config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import RunningServer, open_server
from tests.analysis.harness import reference_query
from tests.mock_oap.client import post

CANARY = "canary|reviews|bookinfo|cluster-1|-"
EVENTS_QUERY = """query q($condition: EventQueryCondition) { queryEvents(condition: $condition) { events {
  uuid name type message layer startTime endTime source { service serviceInstance } parameters { key value } } } }"""
RUN = pb.Run(
    namespace="bookinfo",
    name="reviews-6c85f7bf4-2",
    uid="9b8f3c52-7d1e-4c55-9f0f-0d3c5b7a1e11",
    labels={"rollouts-pod-template-hash": "6c85f7bf4"},
    owner=pb.Owner(kind="Rollout", name="reviews"),
)
HEALTHY: dict[str, Any] = {"service": CANARY, "sli": "success-rate", "window": "3m"}


@dataclass
class Service:
    """A service with one backend, a mock OAP."""

    oap: MockOap
    server: RunningServer
    stub: rpc.MetricProviderStub

    async def measure(self, success: str = "true", name: str = "success-rate", **block: Any) -> pb.Measurement:
        content = json.dumps(HEALTHY | block if "query" not in block else block).encode()
        metric = pb.Metric(name=name, success_condition=success, block=content)
        return await self.stub.Run(pb.RunRequest(run=RUN, metric=metric), timeout=30)

    async def read_events(self) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        time = {
            "start": f"{now - timedelta(hours=1):%Y-%m-%d %H%M}",
            "end": f"{now + timedelta(hours=1):%Y-%m-%d %H%M}",
        }
        condition = {"time": time | {"step": "MINUTE"}, "paging": {"pageSize": 100}}
        return (await post(self.oap, EVENTS_QUERY, condition=condition))["data"]["queryEvents"]["events"]

    async def wait_for_events(self, expected: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        async with asyncio.timeout(60):
            while not expected(events := await self.read_events()):  # noqa: ASYNC110 - the mock signals nothing
                await asyncio.sleep(0.05)
        return events

    async def count(self, code: str) -> float:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self.server.addresses['http']}/metrics") as response,
        ):
            lines = (await response.text()).splitlines()
        return float(
            next(line for line in lines if f'events_total{{backend="prod",code="{code}"}}' in line).split()[-1]
        )


@asynccontextmanager
async def open_service(tmp_path: Path, request_timeout: str = "5s") -> AsyncIterator[Service]:
    path = tmp_path / "p.sock"
    async with MockOap("healthy-canary") as oap:
        backend = {"url": oap.address, "settle": "0s", "timeout": request_timeout, "events": {"enabled": True}}
        caches = {"cache": {"responseTtl": "0s", "verdictTtl": "0s"}}
        config = Config.model_validate({"backends": {"prod": backend | caches}, "http": {"listen": "127.0.0.1:0"}})
        async with (
            open_server(config, Endpoint(path, None)) as server,
            grpc.aio.insecure_channel(f"unix:{path}") as channel,
        ):
            yield Service(oap, server, rpc.MetricProviderStub(channel))


async def test_measurements_of_a_metric_are_one_event_with_the_last_state(tmp_path: Path) -> None:
    async with open_service(tmp_path) as service:
        first = await service.measure("result >= 0.9")
        (before,) = await service.wait_for_events(lambda events: len(events) == 1)
        last = await service.measure("result > 2")
        (after,) = await service.wait_for_events(lambda events: events[0]["type"] == "Error")
        sent = await service.count("sent")

    assert (first.phase, last.phase) == (pb.PHASE_SUCCESSFUL, pb.PHASE_FAILED)
    assert (before["type"], before["uuid"]) == ("Normal", after["uuid"])
    assert after["source"] == {"service": CANARY, "serviceInstance": ""}
    assert after["layer"] == "MESH"
    assert after["message"].startswith("success-rate Failed: CONDITION_NOT_MET")
    assert after["startTime"] == before["startTime"] == first.started_at.ToMilliseconds()
    assert after["endTime"] == last.finished_at.ToMilliseconds()
    parameters = {one["key"]: one["value"] for one in after["parameters"]}
    assert parameters.items() >= {"rollout": "reviews", "namespace": "bookinfo", "podTemplateHash": "6c85f7bf4"}.items()
    assert parameters["value"] == last.value
    assert sent == 2


async def test_judged_instances_have_an_event_each(tmp_path: Path) -> None:
    async with open_service(tmp_path) as service:
        await service.measure(
            service="reviews.bookinfo", instances={"podTemplateHash": "6c85f7bf4"}, name="success-rate-of-pods"
        )
        events = await service.wait_for_events(bool)

    assert {one["source"]["service"] for one in events} == {"reviews.bookinfo"}
    assert all(one["source"]["serviceInstance"].startswith("reviews-6c85f7bf4-") for one in events)


async def test_query_block_has_an_event_of_the_service_that_it_names(tmp_path: Path) -> None:
    async with open_service(tmp_path) as service:
        await service.measure(query=reference_query(CANARY), interval="3m")
        (event,) = await service.wait_for_events(bool)

    assert (event["source"]["service"], event["layer"]) == (CANARY, "MESH")


async def test_error_without_a_known_service_has_no_event(tmp_path: Path) -> None:
    async with open_service(tmp_path) as service:
        measurement = await service.measure(unknown="key")
        await service.measure()
        events = await service.wait_for_events(bool)

    assert measurement.phase == pb.PHASE_ERROR
    assert len(events) == 1


@pytest.mark.parametrize("fault", [{"kind": "hang"}, {"kind": "status", "status": 500}, {"kind": "reset"}])
async def test_failing_event_api_changes_no_measurement(tmp_path: Path, fault: dict[str, Any]) -> None:
    async with open_service(tmp_path) as service:
        expected = [await service.measure(condition) for condition in ("result >= 0.9", "result > 2")]
        await service.wait_for_events(lambda events: bool(events) and events[0]["type"] == "Error")
        service.oap.add_fault(**fault, match='"uuid"')
        requests = len(service.oap.requests)
        measured = [await service.measure(condition) for condition in ("result >= 0.9", "result > 2") * 10]
        sent = [one for one in service.oap.requests[requests:] if one.path == "/v3/events"]

    assert [one.phase for one in measured] == [one.phase for one in expected] * 10
    assert [one.value for one in measured] == [one.value for one in expected] * 10
    assert len(sent) < len(measured)  # one request is in progress or in a pause, and nothing waits for it


async def test_drain_sends_the_queued_events(tmp_path: Path) -> None:
    async with open_service(tmp_path) as service:
        service.oap.add_fault("status", status=503, match='"uuid"', times=1)
        await service.measure()
        assert await service.read_events() == []
        await service.server.drain(30)
        events = await service.read_events()

    assert len(events) == 1


async def test_second_stop_ends_the_sending_of_queued_events(tmp_path: Path) -> None:
    async with open_service(tmp_path, request_timeout="1h") as service:
        service.oap.add_fault("hang", match='"uuid"')
        await service.measure()
        draining = asyncio.create_task(service.server.drain(3600))
        await asyncio.sleep(0.2)
        assert not draining.done()
        await service.server.stop_now()
        async with asyncio.timeout(60):
            await draining


async def test_documented_request_reads_the_events(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    _, _, body = page.partition("-H 'Content-Type: application/graphql' -d '")
    query = body.partition("'\n```")[0]
    async with open_service(tmp_path) as service:
        await service.measure()
        await service.wait_for_events(bool)
        now = datetime.now(UTC)
        for written, instant in (("1100", now - timedelta(hours=1)), ("1300", now + timedelta(hours=1))):
            query = query.replace(f"2026-11-30 {written}", f"{instant:%Y-%m-%d %H%M}")
        async with (
            aiohttp.ClientSession(headers={"Content-Type": "application/graphql"}) as session,
            session.post(service.oap.url, data=query) as response,
        ):
            [event] = (await response.json(content_type=None))["data"]["queryEvents"]["events"]

    assert event["source"]["service"] == CANARY
