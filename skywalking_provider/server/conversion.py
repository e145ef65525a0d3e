"""Conversion between the contract's protobuf messages and the types of `model`.

A protobuf timestamp can hold instants that do not exist, or that no program can compute with. They are a
`ProviderError`, so that the caller can return an Error.
"""

from dataclasses import replace
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Measurement, Metric, Phase, Run
from skywalking_provider.support.instants import MAX_AHEAD, instant_from_epoch

_TO_WIRE = {
    Phase.PENDING: pb.PHASE_PENDING,
    Phase.RUNNING: pb.PHASE_RUNNING,
    Phase.SUCCESSFUL: pb.PHASE_SUCCESSFUL,
    Phase.FAILED: pb.PHASE_FAILED,
    Phase.ERROR: pb.PHASE_ERROR,
    Phase.INCONCLUSIVE: pb.PHASE_INCONCLUSIVE,
}
MAX_METRIC_NAME = 253
"""Characters of a metric's name. Argo sets no limit; the other limits are those of Kubernetes."""
_MAX_NAMESPACE = 63
_MAX_NAME = 253
_MAX_UID = 63
_MAX_LABEL_NAME = 317
_MAX_LABEL = 63
_CLOCK_HINT = "Check the clocks of the Argo Rollouts controller and of the provider's replicas"
_FROM_WIRE = {wire: phase for phase, wire in _TO_WIRE.items()}


def check_names(metric: pb.Metric, run: pb.Run) -> None:
    """Check that the names of a request have at most the length that Kubernetes allows.

    Raises:
        ProviderError: REQUEST_INVALID, with the field, its length and the limit.
    """
    for field, text, limit in (
        ("metric.name", metric.name, MAX_METRIC_NAME),
        ("run.namespace", run.namespace, _MAX_NAMESPACE),
        ("run.name", run.name, _MAX_NAME),
        ("run.uid", run.uid, _MAX_UID),
        ("run.owner.kind", run.owner.kind, _MAX_NAME),
        ("run.owner.name", run.owner.name, _MAX_NAME),
    ):
        if len(text) > limit:
            raise ProviderError(
                Reason.REQUEST_INVALID,
                f"{field} has {len(text)} characters; at most {limit} are allowed",
                "Shorten the name",
            )


def decode_metric(message: pb.Metric) -> Metric:
    """Return the metric of a request. A name beyond its limit is cut."""
    name = cut_name(message.name, MAX_METRIC_NAME)
    return Metric(name, message.success_condition, message.failure_condition, message.block)


def decode_run(message: pb.Run) -> Run:
    """Return the AnalysisRun of a request.

    Raises:
        ProviderError: REQUEST_INVALID, if one of its times is impossible.
    """
    return replace(
        decode_run_identity(message),
        created_at=_decode_instant("run.createdAt", message.created_at, is_set=message.HasField("created_at")),
        started_at=_decode_instant("run.startedAt", message.started_at, is_set=message.HasField("started_at")),
    )


def decode_run_identity(message: pb.Run) -> Run:
    """Return the AnalysisRun of a request without its times. Names beyond their limits are cut."""
    return Run(
        namespace=cut_name(message.namespace, _MAX_NAMESPACE),
        name=cut_name(message.name, _MAX_NAME),
        uid=cut_name(message.uid, _MAX_UID),
        labels={cut_name(name, _MAX_LABEL_NAME): cut_name(text, _MAX_LABEL) for name, text in message.labels.items()},
        owner_kind=cut_name(message.owner.kind, _MAX_NAME),
        owner_name=cut_name(message.owner.name, _MAX_NAME),
    )


def cut_name(name: str, limit: int) -> str:
    """Return a name with at most `limit` characters; the end of a longer one is replaced by an ellipsis."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def decode_measurement(message: pb.Measurement, now: datetime) -> Measurement:
    """Return the measurement of a Resume request; a missing start is replaced by `now`.

    Raises:
        ProviderError: REQUEST_INVALID, if one of its times is impossible, or it starts in the future.
    """
    started_at = (
        _decode_instant("measurement.startedAt", message.started_at, is_set=message.HasField("started_at")) or now
    )
    if started_at > now + MAX_AHEAD:  # it would wait for data until then
        raise ProviderError(
            Reason.REQUEST_INVALID,
            f"measurement.startedAt is in the future: {started_at:%Y-%m-%d %H:%M:%S %z}",
            _CLOCK_HINT,
        )
    return Measurement(
        phase=_FROM_WIRE.get(message.phase, Phase.RUNNING),
        started_at=started_at,
        message=message.message,
        value=message.value,
        finished_at=_decode_instant(
            "measurement.finishedAt", message.finished_at, is_set=message.HasField("finished_at")
        ),
        resume_at=_decode_instant("measurement.resumeAt", message.resume_at, is_set=message.HasField("resume_at")),
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


def _decode_instant(name: str, timestamp: Timestamp, *, is_set: bool) -> datetime | None:
    """Return the instant of a field; None if the field is not set."""
    if not is_set:
        return None
    instant = instant_from_epoch(timestamp.seconds, timestamp.nanos)
    if instant is None:
        detail = f"{timestamp.seconds} s and {timestamp.nanos} ns after 1970"
        raise ProviderError(Reason.REQUEST_INVALID, f"{name} is not a possible time: {detail}", _CLOCK_HINT)
    return instant


def _encode_instant(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(instant)
    return timestamp
