"""Tracing: one trace from the bridge through the service to the OAP, exported by OTLP if the variables enable it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from skywalking_provider.config import Config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.telemetry.tracing_env import tracing_enabled

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CREDENTIAL = "hunter2"
BLOCK = {"sli": "success-rate", "window": "5m", "service": "reviews.bookinfo", "since": "window"}


@asynccontextmanager
async def run_collector() -> AsyncIterator[tuple[str, list[Span], list[dict[str, str]]]]:
    """Run an OTLP collector on loopback and yield its address, the received spans and their resources."""
    spans: list[Span] = []
    resources: list[dict[str, str]] = []

    async def receive(request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for one in sent.resource_spans:
            resources.append({pair.key: pair.value.string_value for pair in one.resource.attributes})
            spans.extend(span for scope in one.scope_spans for span in scope.spans)
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", receive)
    async with TestServer(app) as server:
        yield f"http://127.0.0.1:{server.port}", spans, resources


def attributes(span: Span) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in span.attributes}


async def run_measurement(path: Path, **block: Any) -> pb.Measurement:
    metric = pb.Metric(name="success", success_condition="result > 0.9", block=json.dumps(BLOCK | block).encode())
    run = pb.Run(namespace="bookinfo", name="reviews-1", owner=pb.Owner(kind="Rollout", name="reviews"))
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        return await rpc.MetricProviderStub(channel).Run(
            pb.RunRequest(metric=metric, run=run),
            timeout=10,
            metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),),
        )


async def test_trace_context_is_propagated_from_the_bridge_to_the_oap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.sock"
    async with run_collector() as (endpoint, spans, resources), MockOap("healthy-canary") as oap:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        config = Config.model_validate({"backends": {"prod": {"url": oap.url, "bearer": {"token": CREDENTIAL}}}})
        async with open_server(config, Endpoint(path, None)):
            measurement = await run_measurement(path)
        sent = [request.headers["traceparent"] for request in oap.requests]

    assert measurement.phase == pb.PHASE_SUCCESSFUL, measurement.message
    (call,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    requests = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert call.name == "/metricprovider.v1.MetricProvider/Run"
    assert attributes(call) | {
        "argo.namespace": "bookinfo",
        "argo.analysisrun": "reviews-1",
        "argo.rollout": "reviews",
        "argo.metric": "success",
        "argo.measurement.phase": "Successful",
        "skywalking.backend": "prod",
    } == attributes(call)
    assert requests
    assert all((span.trace_id, span.parent_span_id) == (call.trace_id, call.span_id) for span in requests)
    assert sorted(sent) == sorted(f"00-{TRACE}-{span.span_id.hex()}-01" for span in requests)
    assert resources[0]["service.name"] == "skywalking-provider"
    assert CREDENTIAL not in str(spans)
    assert CREDENTIAL not in str(resources)


async def test_span_of_an_error_measurement_has_error_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.sock"
    async with run_collector() as (endpoint, spans, resources):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{endpoint}/v1/traces")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "judge")
        config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}})
        async with open_server(config, Endpoint(path, None)):
            await run_measurement(path, window="5")

    (call,) = spans
    assert call.status.code == 2
    assert attributes(call)["skywalking.reason"] == "BLOCK_INVALID"
    assert resources[0]["service.name"] == "judge"


async def test_stream_rejected_with_tracing_is_unimplemented_and_has_no_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.sock"
    async with run_collector() as (endpoint, spans, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}})
        async with (
            open_server(config, Endpoint(path, None)),
            grpc.aio.insecure_channel(f"unix:{path}") as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError, match="stream rejected") as raised:
                await rpc.MetricProviderStub(channel).Measure().read()

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert spans == []


async def test_collector_unavailable_does_not_affect_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.sock"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with MockOap("healthy-canary") as oap:
        config = Config.model_validate({"backends": {"prod": {"url": oap.url}}})
        async with open_server(config, Endpoint(path, None)):
            measurement = await run_measurement(path)

    assert measurement.phase == pb.PHASE_SUCCESSFUL


@pytest.mark.parametrize(
    ("environment", "enabled"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_tracing_enabled_follows_the_opentelemetry_variables(environment: dict[str, str], enabled: bool) -> None:
    assert tracing_enabled(environment) is enabled


PROBE = """
import asyncio, sys
from pathlib import Path
from skywalking_provider.config import Config
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server

async def main():
    config = Config.model_validate({"backends": {"prod": {"url": "http://127.0.0.1:9"}}})
    async with open_server(config, Endpoint(Path(sys.argv[1]), None)):
        for name in ("opentelemetry", "prometheus_client", "jinja2", "aiohttp.web"):
            print(name, name in sys.modules)

asyncio.run(main())
"""


def test_disabled_instrumentation_is_not_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path / "p.sock")],
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == [
        *("opentelemetry", "False", "prometheus_client", "False"),
        *("jinja2", "False", "aiohttp.web", "False"),
    ]


def test_log_lines_contain_the_trace_id(tmp_path: Path) -> None:
    flags = ["--socket", str(tmp_path / "p.sock"), "--log-format", "json"]
    environment = {"SW_OAP_ADDRESS": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with subprocess.Popen(
        [sys.executable, "-m", "skywalking_provider", "serve", *flags],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert json.loads(process.stderr.readline())["msg"] == "ready"
        with grpc.insecure_channel(f"unix:{tmp_path / 'p.sock'}") as channel:
            rpc.MetricProviderStub(channel).Run(
                pb.RunRequest(metric=pb.Metric(name="m", block=b"{}")),
                timeout=10,
                metadata=(("traceparent", f"00-{TRACE}-{PARENT}-01"),),
            )
        line = json.loads(process.stderr.readline())
        process.terminate()

    assert (line["msg"], line["metric"], line["trace_id"]) == ("measurement completed", "m", TRACE)
    assert len(line["span_id"]) == 16
