"""Metrics: every series exists from the start, their number is bounded, and no label holds names or credentials."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.analysis.outcomes import phase_reason_pairs
from skywalking_provider.config import Config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.errors import Reason
from skywalking_provider.mock_oap import MockOap
from skywalking_provider.model import Measurement, Metric, Phase, Run
from skywalking_provider.oap.observer import Circuit, Outcome, Source
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import open_server
from skywalking_provider.telemetry.metrics import ServiceMetrics
from tests.telemetry.metrics_snapshot import render_metrics

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MAX_SERIES = 2000
CREDENTIAL = "hunter2"


def samples(registry: CollectorRegistry) -> list[tuple[str, dict[str, str], float]]:
    return [(one.name, one.labels, one.value) for family in registry.collect() for one in family.samples]


def value(metrics: ServiceMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"skywalking_analysis_{name}", labels)


def build_event(
    phase: Phase, reason: Reason | None = None, backend: str = "prod", seconds: float = 0.02
) -> MeasurementEvent:
    measurement = Measurement(phase, NOW)
    return MeasurementEvent(
        Metric("m", "", "", b""), Run(), measurement, reason, MeasurementDetails(backend=backend), seconds
    )


def test_measurement_is_counted_by_phase_reason_and_backend() -> None:
    metrics = ServiceMetrics(["prod"], lambda: NOW)

    metrics.count_measurement(build_event(Phase.FAILED, Reason.CONDITION_NOT_MET))
    metrics.count_measurement(build_event(Phase.SUCCESSFUL))
    metrics.count_measurement(build_event(Phase.ERROR, Reason.BLOCK_INVALID, backend=""))

    count = "measurements_total"
    assert value(metrics, count, phase="Failed", reason="CONDITION_NOT_MET", backend="prod") == 1
    assert value(metrics, count, phase="Successful", reason="NONE", backend="prod") == 1
    assert value(metrics, count, phase="Error", reason="BLOCK_INVALID", backend="-") == 1
    assert value(metrics, "measurement_duration_seconds_count", backend="prod") == 2
    assert value(metrics, "measurement_duration_seconds_bucket", backend="prod", le="0.025") == 2
    assert value(metrics, "measurement_duration_seconds_bucket", backend="prod", le="0.01") == 0
    assert value(metrics, "last_measurement_timestamp_seconds") == NOW.timestamp()


def test_backend_request_is_counted_by_outcome() -> None:
    metrics = ServiceMetrics(["prod"], lambda: NOW)
    observer = metrics.observer

    observer.request_started("prod")
    assert value(metrics, "backend_inflight", backend="prod") == 1
    observer.request_done("prod", Outcome.UNAVAILABLE, 0.3)
    observer.request_avoided("prod", Source.SINGLE_FLIGHT)
    observer.request_avoided("prod", Source.CACHE)
    observer.request_avoided("prod", Source.CACHE)
    observer.retried("prod")
    observer.shed("prod")
    observer.clock_skew("prod", -1.5)

    assert value(metrics, "backend_inflight", backend="prod") == 0
    assert value(metrics, "backend_requests_total", backend="prod", code="unavailable") == 1
    assert value(metrics, "backend_requests_total", backend="prod", code="ok") == 0
    assert value(metrics, "backend_request_duration_seconds_sum", backend="prod") == pytest.approx(0.3)
    assert value(metrics, "coalesced_total", backend="prod") == 1
    assert value(metrics, "cache_hits_total", backend="prod") == 2
    assert value(metrics, "retries_total", backend="prod") == 1
    assert value(metrics, "shed_total", backend="prod") == 1
    assert value(metrics, "clock_skew_seconds", backend="prod") == -1.5


def test_circuit_state_starts_closed_and_has_one_value() -> None:
    metrics = ServiceMetrics(["prod"], lambda: NOW)

    def states() -> dict[str, float | None]:
        return {one.value: value(metrics, "circuit_state", backend="prod", state=one) for one in Circuit}

    assert states() == {"closed": 1, "open": 0, "half_open": 0}
    metrics.observer.circuit_changed("prod", Circuit.OPEN)
    assert states() == {"closed": 0, "open": 1, "half_open": 0}


def test_series_all_exist_before_the_first_event() -> None:
    metrics = ServiceMetrics(["prod"], lambda: NOW)
    before = {(name, *sorted(labels.items())) for name, labels, _ in samples(metrics.registry)}

    for backend in ("prod", ""):
        for phase, reason in phase_reason_pairs():
            metrics.count_measurement(build_event(Phase(phase), None if reason == "NONE" else Reason(reason), backend))
    for outcome in Outcome:
        metrics.observer.request_started("prod")
        metrics.observer.request_done("prod", outcome, 1)
    for source in Source:
        metrics.observer.request_avoided("prod", source)
    for state in Circuit:
        metrics.observer.circuit_changed("prod", state)

    assert {(name, *sorted(labels.items())) for name, labels, _ in samples(metrics.registry)} == before


def test_reason_codes_are_all_counted() -> None:
    assert {reason for _, reason in phase_reason_pairs()} == {*Reason, "NONE"}


def test_series_with_twenty_backends_stay_below_the_limit() -> None:
    metrics = ServiceMetrics([f"backend-{number}" for number in range(20)], lambda: NOW)

    assert len(samples(metrics.registry)) < MAX_SERIES


def test_metric_names_and_labels_follow_prometheus_conventions() -> None:
    metrics = ServiceMetrics(["prod"], lambda: NOW)

    for family in metrics.registry.collect():
        own = family.name.startswith("skywalking_analysis_")
        assert own or family.name.startswith("process_"), family.name
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= {"phase", "reason", "backend", "code", "state", "le", "version", "python"}
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def block(**keys: Any) -> bytes:
    query = """query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "service_apdex", entity:
      {scope: Service, serviceName: "canary|reviews|bookinfo|cluster-1|-", normal: true}}, duration: $duration) {
        label values { values { value } } } }"""
    return json.dumps({"interval": "3m", "query": query} | keys).encode()


async def test_service_metrics_contain_no_query_name_or_secret(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    async with MockOap("failing-canary") as oap:
        config = Config.model_validate(
            {
                "backends": {"prod": {"url": oap.url, "bearer": {"token": CREDENTIAL}}},
                "http": {"listen": "127.0.0.1:0"},
            }
        )
        metric = pb.Metric(
            name="latency-of-reviews", success_condition="len(result.apdex.values.values) > 100", block=block()
        )
        run = pb.Run(namespace="bookinfo", name="reviews-6c85f7bf4-2", uid="4b9d")
        async with open_server(config, Endpoint(path, None)) as server, aiohttp.ClientSession() as session:
            async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
                await rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=metric, run=run), timeout=10)
            async with session.get(f"http://{server.addresses['http']}/metrics") as response:
                text = await response.text()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    failed = [
        one.value
        for one in families["skywalking_analysis_measurements"].samples
        if one.labels == {"phase": "Failed", "reason": "CONDITION_NOT_MET", "backend": "prod"}
    ]
    requests = sum(
        one.value
        for one in families["skywalking_analysis_backend_requests"].samples
        if one.labels.get("code") == "ok" and one.name.endswith("_total")
    )
    assert failed == [1]
    assert requests >= 2
    assert len(families["skywalking_analysis_clock_skew_seconds"].samples) == 1
    for text_part in (CREDENTIAL, "bookinfo", "reviews", "readMetricsValues", "6c85f7bf4", "4b9d", oap.url):
        assert text_part not in text


async def test_metrics_openmetrics_requested_is_served(tmp_path: Path) -> None:
    config = Config.model_validate(
        {"backends": {"prod": {"url": "http://127.0.0.1:9"}}, "http": {"listen": "127.0.0.1:0"}}
    )
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with (
        open_server(config, Endpoint(tmp_path / "p.sock", None)) as server,
        aiohttp.request("GET", f"http://{server.addresses['http']}/metrics", headers=accept) as response,
    ):
        assert response.content_type == "application/openmetrics-text"
        assert (await response.text()).endswith("# EOF\n")


SNAPSHOT = Path(__file__).parent / "metrics.prom"


def test_series_equal_the_snapshot_that_alerts_and_dashboard_are_tested_with() -> None:
    """Update the snapshot after a change: python -m tests.telemetry.metrics_snapshot."""
    assert SNAPSHOT.read_text() == render_metrics()
