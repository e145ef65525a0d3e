"""The log: JSON lines under Argo's names, in UTC, with the trace they belong to; one grep finds both sides."""

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
from skywalking_provider.server.logging import configure_logging
from skywalking_provider.telemetry import measurement_log

RUN = Run("bookinfo", "reviews-6c85f7bf4-2", owner_kind="Rollout", owner_name="reviews")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What is logged; the handlers of libraries are put back."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield capsys
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def record(phase: Phase, reason: Reason | None, run: Run = RUN, message: str = "") -> MeasurementEvent:
    measurement = Measurement(phase, datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC), message)
    asked = Metric("success-rate", "result >= 0.99", "", b'{"sli": "success-rate"}')
    return MeasurementEvent(asked, run, measurement, reason, MeasurementDetails(backend="prod"), 0.01234)


def logged(stderr: pytest.CaptureFixture[str], one: MeasurementEvent, **config: str) -> str:
    configure_logging(LogConfig.model_validate({"format": "json"} | config))
    with patch.object(
        measurement_log, "_log", structlog.get_logger()
    ):  # a logger keeps the configuration of its first line
        measurement_log.log_measurement(one)
    return stderr.readouterr().err


def test_an_answer_is_one_line_of_json_under_argos_names(stderr: pytest.CaptureFixture[str]) -> None:
    text = logged(stderr, record(Phase.FAILED, Reason.CONDITION_NOT_MET, message="CONDITION_NOT_MET 0.95\nnext"))

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
    ("phase", "reason", "level", "said"),
    [
        (Phase.SUCCESSFUL, None, "info", "measurement completed"),
        (Phase.RUNNING, Reason.OAP_UNAVAILABLE, "warning", "measurement pending"),
        (Phase.ERROR, Reason.BLOCK_INVALID, "warning", "measurement completed"),
        (Phase.INCONCLUSIVE, Reason.NEITHER_CONDITION_MET, "info", "measurement completed"),
    ],
)
def test_what_waits_or_went_wrong_is_a_warning(
    stderr: pytest.CaptureFixture[str], phase: Phase, reason: Reason | None, level: str, said: str
) -> None:
    line = json.loads(logged(stderr, record(phase, reason)))

    assert (line["level"], line["msg"], line.get("event_reason")) == (level, said, reason)


def test_the_run_of_an_experiment_names_the_experiment(stderr: pytest.CaptureFixture[str]) -> None:
    owned = Run("shop", "compare-1", owner_kind="Experiment", owner_name="compare")

    line = json.loads(logged(stderr, record(Phase.SUCCESSFUL, None, owned)))

    assert line["experiment"] == "compare"
    assert "rollout" not in line


def test_a_name_with_a_newline_forges_no_line(stderr: pytest.CaptureFixture[str]) -> None:
    forged = Run('x"\n{"level":"info","msg":"promoted"}', "y")

    assert logged(stderr, record(Phase.SUCCESSFUL, None, forged)).count("\n") == 1


def test_a_person_at_a_terminal_reads_columns(stderr: pytest.CaptureFixture[str]) -> None:
    text = logged(stderr, record(Phase.SUCCESSFUL, None), format="console")

    assert re.match(r"\S*\d{4}-\d\d-\d\dT\S+Z", re.sub(r"\x1b\[[\d;]*m", "", text))
    assert "measurement completed" in text
