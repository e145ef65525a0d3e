"""A line in the log for every answer, under the names that Argo's controller gives the same things."""

import structlog

from skywalking_provider.model import Phase, Run
from skywalking_provider.record import Record

_log = structlog.get_logger()
_OWNERS = {"Rollout": "rollout", "Experiment": "experiment"}


def log_answer(record: Record) -> None:
    """Log one answer; what waits or went wrong is a warning."""
    measurement, run = record.measurement, record.run
    log = _log.warning if measurement.phase in (Phase.ERROR, Phase.RUNNING) else _log.info
    log(
        "measurement completed" if measurement.phase.completed else "measurement pending",
        namespace=run.namespace,
        analysisrun=run.name,
        **_owner(run),
        metric=record.metric.name,
        phase=measurement.phase.value,
        **({"event_reason": record.reason.value} if record.reason else {}),
        message=measurement.message,
        backend=record.trail.backend,
        started_at=measurement.started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=round(record.seconds, 3),
    )


def _owner(run: Run) -> dict[str, str]:
    return {_OWNERS[run.owner_kind]: run.owner_name} if run.owner_kind in _OWNERS else {}
