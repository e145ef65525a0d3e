"""Log line of a measurement, with the field names that the Argo Rollouts controller uses."""

import structlog

from skywalking_provider.analysis.cause_view import build_cause_json
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.model import Phase, Run

_MAX_ENDPOINTS = 3  # of a cause
_log = structlog.get_logger()
_OWNERS = {"Rollout": "rollout", "Experiment": "experiment"}


def log_measurement(event: MeasurementEvent) -> None:
    """Log one measurement event; pending and failed measurements are warnings."""
    measurement, run = event.measurement, event.run
    log = _log.warning if measurement.phase in (Phase.ERROR, Phase.RUNNING) else _log.info
    log(
        "measurement completed" if measurement.phase.completed else "measurement pending",
        namespace=run.namespace,
        analysisrun=run.name,
        **_owner_fields(run),
        metric=event.metric.name,
        phase=measurement.phase.value,
        **({"event_reason": event.reason.value} if event.reason else {}),
        message=measurement.message,
        **({"cause": build_cause_json(cause, _MAX_ENDPOINTS)} if (cause := event.details.cause) else {}),
        backend=event.details.backend,
        started_at=measurement.started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(event.seconds, 3),
    )


def _owner_fields(run: Run) -> dict[str, str]:
    return {_OWNERS[run.owner_kind]: run.owner_name} if run.owner_kind in _OWNERS else {}
