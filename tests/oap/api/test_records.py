"""Traces and logs as real OAPs returned them (tests/captures/records), and whole traces from the schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.oap.api.records import RecordScope, TraceApi, parse_logs, parse_traces

CAPTURES = Path(__file__).parents[2] / "captures" / "records"
SERVICE = InventoryService("YWdlbnR8cmV2aWV3cw==.1", "agent|reviews", ("GENERAL",), normal=True)
SCOPE = RecordScope(SERVICE, "reviews-6c85f7bf4-9zr8t")


def recorded(version: str, traces: str, logs: str) -> dict[str, Any]:
    cases = json.loads((CAPTURES / f"{version}.json").read_text(encoding="utf-8"))["cases"]
    return {"t0": cases[traces]["response"]["data"]["traces"], "l0": cases[logs]["response"]["data"]["logs"]}


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
def test_recorded_traces_and_logs_of_an_instance_are_parsed(version: str) -> None:
    data = recorded(version, "error-traces-of-instance", "error-logs-of-instance")
    traces, logs = parse_traces(data, [SCOPE], TraceApi.SEGMENTS), parse_logs(data, [SCOPE])
    assert traces
    assert logs
    assert {(one.endpoint, one.is_error, one.milliseconds) for one in traces} == {("POST:/reviews", True, 1200)}
    assert {one.trace_id for one in logs} <= {one.trace_id for one in traces}
    assert {one.timestamp for one in logs} <= {one.started_at for one in traces}


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
def test_recorded_mesh_has_neither_traces_nor_logs(version: str) -> None:
    data = recorded(version, "error-traces-of-mesh", "error-logs-of-mesh")
    assert parse_traces(data, [SCOPE], TraceApi.SEGMENTS) == ()
    assert parse_logs(data, [SCOPE]) == ()


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
def test_recorded_ids_are_those_of_the_scope(version: str) -> None:
    cases = json.loads((CAPTURES / f"{version}.json").read_text(encoding="utf-8"))["cases"]
    condition = cases["error-traces-of-instance"]["variables"]["c"]
    assert SCOPE.encode() == {key: condition[key] for key in ("serviceId", "serviceInstanceId")}


def test_part_that_oap_cannot_read_is_none() -> None:
    assert parse_traces({"t0": None}, [SCOPE], TraceApi.SEGMENTS) is None
    assert parse_logs({"l0": None}, [SCOPE]) is None


def test_whole_trace_is_read_as_the_scope_saw_it() -> None:
    def span(instance: str, start: int, endpoint: str, kind: str = "Entry", *, error: bool = False) -> dict[str, Any]:
        return {
            "traceId": "3f1c", "serviceCode": "agent|reviews", "serviceInstanceName": instance, "startTime": start,
            "endTime": start + 5, "endpointName": endpoint, "type": kind, "isError": error,
        }  # fmt: skip

    mine, other = SCOPE.instance or "", "reviews-7d4f9c8b65-2xkqz"
    spans = [span(other, 1, "/a", error=True), span(mine, 3, "/b"), span(mine, 4, "/db", "Exit", error=True)]
    [trace] = parse_traces({"t0": {"traces": [{"spans": spans}]}}, [SCOPE], TraceApi.WHOLE) or ()
    assert (trace.trace_id, trace.endpoint, trace.started_at, trace.is_error) == ("3f1c", "/b", 3, True)
    assert parse_traces({"t0": {"traces": [{"spans": spans[:1]}]}}, [SCOPE], TraceApi.WHOLE) == ()
