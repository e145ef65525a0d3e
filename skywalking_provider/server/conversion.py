"""Conversion between the contract's protobuf messages and the types of `model`."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.model import Measurement, Metric, Phase, Run

_TO_WIRE = {
    Phase.PENDING: pb.PHASE_PENDING,
    Phase.RUNNING: pb.PHASE_RUNNING,
    Phase.SUCCESSFUL: pb.PHASE_SUCCESSFUL,
    Phase.FAILED: pb.PHASE_FAILED,
    Phase.ERROR: pb.PHASE_ERROR,
    Phase.INCONCLUSIVE: pb.PHASE_INCONCLUSIVE,
}
_FROM_WIRE = {wire: phase for phase, wire in _TO_WIRE.items()}


def decode_metric(message: pb.Metric) -> Metric:
    """Return the metric of a request."""
    return Metric(message.name, message.success_condition, message.failure_condition, message.block)


def decode_run(message: pb.Run) -> Run:
    """Return the AnalysisRun of a request."""
    return Run(
        namespace=message.namespace,
        name=message.name,
        uid=message.uid,
        labels=dict(message.labels),
        owner_kind=message.owner.kind,
        owner_name=message.owner.name,
        created_at=_decode_instant(message.created_at) if message.HasField("created_at") else None,
        started_at=_decode_instant(message.started_at) if message.HasField("started_at") else None,
    )


def decode_measurement(message: pb.Measurement, now: datetime) -> Measurement:
    """Return the measurement of a Resume request; a missing start is replaced by `now`."""
    return Measurement(
        phase=_FROM_WIRE.get(message.phase, Phase.RUNNING),
        started_at=_decode_instant(message.started_at) if message.HasField("started_at") else now,
        message=message.message,
        value=message.value,
        finished_at=_decode_instant(message.finished_at) if message.HasField("finished_at") else None,
        resume_at=_decode_instant(message.resume_at) if message.HasField("resume_at") else None,
        metadata=dict(message.metadata),
    )


def encode_measurement(measurement: Measurement) -> pb.Measurement:
    """Return the protobuf message of a measurement."""
    return pb.Measurement(
        phase=_TO_WIRE[measurement.phase],
        message=measurement.message,
        value=measurement.value,
        started_at=_encode_instant(measurement.started_at),
        finished_at=_encode_instant(measurement.finished_at),
        resume_at=_encode_instant(measurement.resume_at),
        metadata=measurement.metadata,
    )


def _decode_instant(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _encode_instant(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp
