"""gRPC service of the contract: converts messages, sets the deadline and calls the engine."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc.aio
import structlog

from skywalking_provider import __version__
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.contract import CONTRACT_VERSION
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.errors import BackendUnavailableError, ProviderError
from skywalking_provider.model import Deadline, Metric
from skywalking_provider.server.admission import Admission
from skywalking_provider.server.conversion import (
    check_names,
    cut_name,
    decode_measurement,
    decode_metric,
    decode_run,
    decode_run_identity,
    encode_measurement,
)
from skywalking_provider.server.measurement_stream import MeasurementStreams

_MAX_CALL_SECONDS = 14.5  # also for callers without a deadline: the bridge waits at most 15 s
_MAX_VERSION = 64

_log = structlog.get_logger()

_Context = grpc.aio.ServicerContext[Any, Any]


class MetricProviderService(rpc.MetricProviderServicer):
    """Implementation of `metricprovider.v1.MetricProvider`.

    A measurement that fails is returned as a measurement with phase Error, not as a gRPC error.

    Args:
        engine: Engine that runs the measurements.
        now: Wall clock.
        admission: Limit of the calls in progress.
        streams: Streams of measurements; None to reject them.
    """

    def __init__(
        self,
        engine: Engine,
        now: Callable[[], datetime],
        admission: Admission,
        streams: MeasurementStreams | None = None,
    ) -> None:
        self._engine = engine
        self._now = now
        self._admission = admission
        self._streams = streams

    async def Describe(self, request: pb.DescribeRequest, context: _Context) -> pb.DescribeResponse:  # noqa: N802, ARG002
        """Return the contract version."""
        _log.info("bridge connected", bridge_version=cut_name(request.client_version, _MAX_VERSION))
        return pb.DescribeResponse(contract_version=CONTRACT_VERSION, provider="skywalking", version=__version__)

    async def Run(self, request: pb.RunRequest, context: _Context) -> pb.Measurement:  # noqa: N802
        """Start a measurement."""
        return await self._run(request, _build_deadline(context.time_remaining()))

    async def Resume(self, request: pb.ResumeRequest, context: _Context) -> pb.Measurement:  # noqa: N802
        """Continue a measurement."""
        return await self._resume(request, _build_deadline(context.time_remaining()))

    async def Measure(  # type: ignore[override]  # noqa: N802 - it writes to the context, which the stubs do not know
        self,
        request_iterator: object,  # noqa: ARG002
        context: _Context,
    ) -> None:
        """Start and continue measurements over one stream, if the service has streams."""
        if self._streams is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "stream rejected: not served here. Use Run and Resume.")
        await self._streams.serve(context, self._measure)

    async def Terminate(self, request: pb.TerminateRequest, context: _Context) -> pb.Measurement:  # noqa: N802, ARG002
        """Return the measurement unchanged: the service holds no state that would have to be released."""
        return request.measurement

    async def GarbageCollect(  # noqa: N802
        self,
        request: pb.GarbageCollectRequest,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> pb.GarbageCollectResponse:
        """Return an empty response: the service keeps no state of a measurement."""
        return pb.GarbageCollectResponse()

    async def GetMetadata(self, request: pb.GetMetadataRequest, context: _Context) -> pb.GetMetadataResponse:  # noqa: N802, ARG002
        """Return the metadata of a metric, derived from its block only."""
        return pb.GetMetadataResponse(metadata=self._engine.metadata(decode_metric(request.metric)))

    async def _measure(self, request: pb.MeasureRequest) -> pb.Measurement:
        deadline = _build_deadline(request.timeout_ms / 1000)
        if request.HasField("resume"):
            return await self._resume(request.resume, deadline)
        return await self._run(request.run, deadline)

    async def _run(self, request: pb.RunRequest, deadline: Deadline) -> pb.Measurement:
        metric = decode_metric(request.metric)
        try:
            check_names(request.metric, request.run)
            run = decode_run(request.run)
        except ProviderError as error:
            return await self._reject(metric, request.run, error)
        try:
            with self._admission.admit(run.namespace, request.ByteSize()):
                return encode_measurement(await self._engine.run(metric, run, deadline))
        except BackendUnavailableError as error:
            return encode_measurement(await self._engine.reject(metric, run, error))

    async def _resume(self, request: pb.ResumeRequest, deadline: Deadline) -> pb.Measurement:
        metric = decode_metric(request.metric)
        try:
            check_names(request.metric, request.run)
            run, measurement = decode_run(request.run), decode_measurement(request.measurement, self._now())
        except ProviderError as error:
            return await self._reject(metric, request.run, error)
        try:
            with self._admission.admit(run.namespace, request.ByteSize()):
                return encode_measurement(await self._engine.resume(metric, run, measurement, deadline))
        except BackendUnavailableError as error:
            return encode_measurement(await self._engine.reject(metric, run, error, measurement))

    async def _reject(self, metric: Metric, run: pb.Run, error: ProviderError) -> pb.Measurement:
        """Return an Error. The measurement starts now, because its own start may be the impossible time."""
        return encode_measurement(await self._engine.reject(metric, decode_run_identity(run), error))


def _build_deadline(remaining: float | None) -> Deadline:
    return Deadline.after(_MAX_CALL_SECONDS if remaining is None else min(remaining, _MAX_CALL_SECONDS))
