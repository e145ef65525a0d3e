"""The contract's service: translates, bounds in time; the engine decides."""

from datetime import UTC, datetime
from typing import Any

import grpc.aio
import structlog

from skywalking_provider import __version__
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.contract import CONTRACT_VERSION
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.model import Deadline
from skywalking_provider.server.conversion import (
    decode_measurement,
    decode_metric,
    decode_run,
    encode_measurement,
)

_MAX_CALL_SECONDS = 14.5  # where a caller sets no deadline, or one that no Argo worker should wait for

_log = structlog.get_logger()

_Context = grpc.aio.ServicerContext[Any, Any]


class MetricProviderService(rpc.MetricProviderServicer):
    """`metricprovider.v1.MetricProvider`. Every trouble of a measurement is a measurement, never a gRPC error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def Describe(self, request: pb.DescribeRequest, context: _Context) -> pb.DescribeResponse:  # noqa: N802, ARG002
        """Say which contract is spoken here."""
        _log.info("bridge connected", bridge_version=request.client_version)
        return pb.DescribeResponse(contract_version=CONTRACT_VERSION, provider="skywalking", version=__version__)

    async def Run(self, request: pb.RunRequest, context: _Context) -> pb.Measurement:  # noqa: N802
        """Begin a measurement."""
        metric, run = decode_metric(request.metric), decode_run(request.run)
        return encode_measurement(await self._engine.run(metric, run, _build_deadline(context)))

    async def Resume(self, request: pb.ResumeRequest, context: _Context) -> pb.Measurement:  # noqa: N802
        """Go on with a measurement."""
        metric, run = decode_metric(request.metric), decode_run(request.run)
        measurement = decode_measurement(request.measurement, datetime.now(UTC))
        return encode_measurement(await self._engine.resume(metric, run, measurement, _build_deadline(context)))

    async def Terminate(self, request: pb.TerminateRequest, context: _Context) -> pb.Measurement:  # noqa: N802, ARG002
        """Nothing is held for a measurement, so there is nothing to end; the bridge has answered Argo already."""
        return request.measurement

    async def GarbageCollect(  # noqa: N802
        self,
        request: pb.GarbageCollectRequest,  # noqa: ARG002
        context: _Context,  # noqa: ARG002
    ) -> pb.GarbageCollectResponse:
        """Nothing is kept of a measurement, so there is nothing to collect."""
        return pb.GarbageCollectResponse()

    async def GetMetadata(self, request: pb.GetMetadataRequest, context: _Context) -> pb.GetMetadataResponse:  # noqa: N802, ARG002
        """The facts of a metric by its text alone."""
        return pb.GetMetadataResponse(metadata=self._engine.metadata(decode_metric(request.metric)))


def _build_deadline(context: _Context) -> Deadline:
    remaining = context.time_remaining()
    return Deadline.after(_MAX_CALL_SECONDS if remaining is None else min(remaining, _MAX_CALL_SECONDS))
