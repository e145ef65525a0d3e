"""Log lines of measurements: JSON with Argo's field names and UTC time stamps, or columns on a terminal."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
import structlog

from skywalking_provider.analysis.events import MeasurementDetails, MeasurementEvent
from skywalking_provider.config import LogConfig
from skywalking_provider.errors import Reason
from skywalking_provider.model import Measurement, Metric, Phase, Run
from skywalking_provider.oap.api.records import LogRecord, TraceChoice, TraceRecord
from skywalking_provider.queries.causes.cause import Cause
from skywalking_provider.queries.causes.endpoints import Traffic, rank_endpoints
from skywalking_provider.queries.causes.records import summarize_records
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.server.logging import configure_logging
from skywalking_provider.telemetry import measurement_log

RUN = Run("bookinfo", "reviews-6c85f7bf4-2", owner_kind="Rollout", owner_name="reviews")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Yield the captured output, and restore the root logger afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield capsys
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def build_event(phase: Phase, reason: Reason | None, run: Run = RUN, message: str = "") -> MeasurementEvent:
    measurement = Measurement(phase, datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC), message)
    metric = Metric("success-rate", "result >= 0.99", "", b'{"sli": "success-rate"}')
    return MeasurementEvent(metric, run, measurement, reason, MeasurementDetails(backend="prod"), 0.01234)


def log_event(stderr: pytest.CaptureFixture[str], event: MeasurementEvent, **config: str) -> str:
    configure_logging(LogConfig.model_validate({"format": "json"} | config))
    # A logger keeps the configuration that it had at its first line.
    with patch.object(measurement_log, "_log", structlog.get_logger()):
        measurement_log.log_measurement(event)
    return stderr.readouterr().err


def test_failed_measurement_is_logged_with_the_first_endpoints_of_its_cause(
    stderr: pytest.CaptureFixture[str],
) -> None:
    canary = {f"/{name}": Traffic(100, failures) for name, failures in zip("abcd", (4, 3, 2, 1), strict=True)}
    stable = {"/a": Traffic(200, 1)}
    trace = TraceRecord("3f1c", "/a", 250, 1_796_000_000_000, is_error=True)
    log = LogRecord(1_796_000_000_250, "3f1c", "/a", "a text with personal data")
    event = build_event(Phase.FAILED, Reason.CONDITION_NOT_MET)
    event.details.cause = Cause(
        rank_endpoints(Contribution.FAILURES, canary, Traffic(400, 10), stable, Traffic(200, 1)),
        summarize_records(TraceChoice.ERRORS, [trace], [log], ""),
    )

    cause = json.loads(log_event(stderr, event))["cause"]

    assert cause | {"endpoints": []} == {
        "ranking": "failures",
        "serviceWide": False,
        "calls": 400,
        "failures": 10,
        "endpoints": [],
        "sampledTraces": {"choice": "errors", "traces": 1, "endpoints": [{"name": "/a", "traces": 1}]},
        "traces": [{"id": "3f1c", "endpoint": "/a", "start": 1_796_000_000_000, "ms": 250}],
        "errorLogs": 1,
        "logs": [{"time": 1_796_000_000_250, "endpoint": "/a", "trace": "3f1c"}],
    }
    assert [one["name"] for one in cause["endpoints"]] == ["/a", "/b", "/c"]
    assert cause["endpoints"][0] == {
        "name": "/a",
        "calls": 100,
        "failures": 4,
        "stable": {"calls": 200, "failures": 1},
    }


def test_measurement_is_logged_as_one_json_line_with_argos_field_names(stderr: pytest.CaptureFixture[str]) -> None:
    text = log_event(
        stderr, build_event(Phase.FAILED, Reason.CONDITION_NOT_MET, message="CONDITION_NOT_MET 0.95\nnext")
    )

    assert text.count("\n") == 1
    line = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("time"))
    assert line == {
        "level": "info",
        "msg": "measurement completed",
        "namespace": "bookinfo",
        "analysisrun": "reviews-6c85f7bf4-2",
        "rollout": "reviews",
        "metric": "success-rate",
        "phase": "Failed",
        "event_reason": "CONDITION_NOT_MET",
        "message": "CONDITION_NOT_MET 0.95\nnext",
        "backend": "prod",
        "started_at": "2026-11-24T12:00:00Z",
        "seconds": 0.012,
    }


@pytest.mark.parametrize(
    ("phase", "reason", "level", "text"),
    [
        (Phase.SUCCESSFUL, None, "info", "measurement completed"),
        (Phase.RUNNING, Reason.OAP_UNAVAILABLE, "warning", "measurement pending"),
        (Phase.ERROR, Reason.BLOCK_INVALID, "warning", "measurement completed"),
        (Phase.INCONCLUSIVE, Reason.NEITHER_CONDITION_MET, "info", "measurement completed"),
    ],
)
def test_measurement_pending_or_failed_is_logged_as_warning(
    stderr: pytest.CaptureFixture[str], phase: Phase, reason: Reason | None, level: str, text: str
) -> None:
    line = json.loads(log_event(stderr, build_event(phase, reason)))

    assert (line["level"], line["msg"], line.get("event_reason")) == (level, text, reason)


def test_measurement_of_an_experiment_is_logged_with_its_name(stderr: pytest.CaptureFixture[str]) -> None:
    owned = Run("shop", "compare-1", owner_kind="Experiment", owner_name="compare")

    line = json.loads(log_event(stderr, build_event(Phase.SUCCESSFUL, None, owned)))

    assert line["experiment"] == "compare"
    assert "rollout" not in line


def test_name_with_newline_stays_in_one_line(stderr: pytest.CaptureFixture[str]) -> None:
    forged = Run('x"\n{"level":"info","msg":"promoted"}', "y")

    assert log_event(stderr, build_event(Phase.SUCCESSFUL, None, forged)).count("\n") == 1


def test_console_format_writes_columns(stderr: pytest.CaptureFixture[str]) -> None:
    text = log_event(stderr, build_event(Phase.SUCCESSFUL, None), format="console")

    assert re.match(r"\S*\d{4}-\d\d-\d\dT\S+Z", re.sub(r"\x1b\[[\d;]*m", "", text))
    assert "measurement completed" in text
