"""Measurements over one stream: responses by identity, limits, and the end of a stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest
from structlog.testing import capture_logs

from skywalking_provider.config import BackendConfig, Config
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.server import lifecycle
from skywalking_provider.server.admission import MAX_CALLS, Admission
from skywalking_provider.server.endpoint import Endpoint
from skywalking_provider.server.lifecycle import RunningServer, open_server
from skywalking_provider.server.measurement_stream import (
    MAX_IN_PROGRESS,
    MAX_RESPONSE_BYTES,
    Measure,
    MeasurementStreams,
)

UNREACHABLE_BACKEND = BackendConfig.model_validate({"url": "http://127.0.0.1:9"})
QUERY = (
    'query q($duration: Duration!) { apdex: readMetricsValues(condition: {name: "a"}, duration: $duration) { label } }'
)
METRIC = pb.Metric(name="apdex", block=json.dumps({"interval": "3m", "query": QUERY}).encode())
STARTED_AT = {"seconds": 1_700_000_000}

Stream = grpc.aio.StreamStreamCall[pb.MeasureRequest, pb.MeasureResponse]


class Service(rpc.MetricProviderServicer):
    """Service whose measurements a test completes."""

    def __init__(self, streams: MeasurementStreams, measure: Measure) -> None:
        self.streams = streams
        self._measure = measure

    async def Measure(self, request_iterator: object, context: grpc.aio.ServicerContext) -> None:  # type: ignore[type-arg, override]  # noqa: N802, ARG002
        await self.streams.serve(context, self._measure)


@asynccontextmanager
async def open_stub(
    folder: Path, streams: MeasurementStreams, measure: Measure
) -> AsyncIterator["rpc.MetricProviderAsyncStub"]:
    server = grpc.aio.server()
    rpc.add_MetricProviderServicer_to_server(Service(streams, measure), server)
    target = f"unix:{folder / 's'}"
    server.add_insecure_port(target)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            yield rpc.MetricProviderStub(channel)
    finally:
        await server.stop(None)


def request(identity: int, **run: str) -> pb.MeasureRequest:
    return pb.MeasureRequest(id=identity, timeout_ms=10_000, run=pb.RunRequest(run=pb.Run(**run), metric=METRIC))


class Measurements:
    """Measurements in progress, by the name of their run."""

    def __init__(self) -> None:
        self.started: dict[str, asyncio.Future[pb.Measurement]] = {}

    async def measure(self, message: pb.MeasureRequest) -> pb.Measurement:
        name = message.run.run.name
        self.started[name] = asyncio.get_running_loop().create_future()
        return await self.started[name]

    async def wait(self, count: int) -> None:
        while len(self.started) < count:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.001)

    def complete(self, name: str, value: str = "1") -> None:
        self.started[name].set_result(pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value=value))


async def read(stream: Stream) -> pb.MeasureResponse:
    response = await stream.read()
    assert isinstance(response, pb.MeasureResponse)
    return response


async def test_responses_have_the_order_in_which_they_are_ready(tmp_path: Path) -> None:
    measurements = Measurements()
    async with open_stub(tmp_path, MeasurementStreams(), measurements.measure) as stub:
        stream = stub.Measure()
        for identity, name in enumerate(("slow", "fast"), start=7):
            await stream.write(request(identity, name=name))
        await measurements.wait(2)

        measurements.complete("fast", "2")
        first = await read(stream)
        measurements.complete("slow", "1")
        second = await read(stream)

    assert [(one.id, one.measurement.value) for one in (first, second)] == [(8, "2"), (7, "1")]


@pytest.mark.parametrize("cause", ["bug", "large", "cancelled"])
async def test_measurement_that_only_a_call_can_return_has_no_response_in_the_stream(
    tmp_path: Path, cause: str
) -> None:
    async def measure(message: pb.MeasureRequest) -> pb.Measurement:
        if message.run.run.name == "bug":
            raise AssertionError("bug")
        if message.run.run.name == "cancelled":  # a task that several measurements wait for
            raise asyncio.CancelledError
        if message.run.run.name == "large":
            return pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value="v" * MAX_RESPONSE_BYTES)
        return pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value="1")

    async with open_stub(tmp_path, MeasurementStreams(), measure) as stub:
        stream = stub.Measure()
        with capture_logs() as logs:
            await stream.write(request(1, name=cause))
            assert not (await read(stream)).HasField("measurement")
        await stream.write(request(2, name="other"))

        assert (await read(stream)).measurement.value == "1"

    assert [one["event"] for one in logs] == (["measurement of a stream failed"] if cause == "bug" else [])


async def test_requests_beyond_the_limit_wait_until_others_end(tmp_path: Path) -> None:
    measurements = Measurements()
    async with open_stub(tmp_path, MeasurementStreams(max_in_progress=2), measurements.measure) as stub:
        stream = stub.Measure()
        for identity in range(1, 4):
            await stream.write(request(identity, name=str(identity)))
        await measurements.wait(2)
        await asyncio.sleep(0.05)  # a third one would start now
        assert sorted(measurements.started) == ["1", "2"]

        measurements.complete("1")
        assert (await read(stream)).id == 1
        await measurements.wait(3)


async def test_stream_beyond_the_limit_is_rejected_until_another_ends(tmp_path: Path) -> None:
    measurements = Measurements()
    async with open_stub(tmp_path, MeasurementStreams(max_streams=1), measurements.measure) as stub:
        first = stub.Measure()
        await first.write(request(1, name="1"))
        await measurements.wait(1)

        with pytest.raises(grpc.aio.AioRpcError, match="stream rejected: 1 are open"):
            await stub.Measure().read()

        await first.done_writing()
        await asyncio.sleep(0.05)  # it is open until the response
        with pytest.raises(grpc.aio.AioRpcError, match="stream rejected: 1 are open"):
            await stub.Measure().read()

        measurements.complete("1")
        await read(first)
        assert await first.read() is grpc.aio.EOF
        third = stub.Measure()
        await third.write(request(3, name="3"))
        await measurements.wait(2)


async def test_cancelled_stream_cancels_its_measurements(tmp_path: Path) -> None:
    measurements = Measurements()
    async with open_stub(tmp_path, MeasurementStreams(), measurements.measure) as stub:
        stream = stub.Measure()
        await stream.write(request(1, name="1"))
        await measurements.wait(1)

        stream.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(measurements.started["1"], 30)


async def test_response_after_the_end_of_the_stream_is_no_error() -> None:
    class EndedContext:
        """Context of a stream whose caller ends it after one request."""

        def __init__(self) -> None:
            self._messages = [request(1), grpc.aio.EOF]

        async def read(self) -> object:
            return self._messages.pop(0)

        async def write(self, response: pb.MeasureResponse) -> None:
            raise grpc.aio.UsageError(f"no stream for {response.id}")

    async def measure(message: pb.MeasureRequest) -> pb.Measurement:
        return pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value=message.run.run.name)

    await MeasurementStreams().serve(EndedContext(), measure)  # type: ignore[arg-type]


async def test_responses_of_a_caller_that_does_not_read_are_dropped(tmp_path: Path) -> None:
    count, measured, all_measured = 300, 0, asyncio.Event()

    async def measure(message: pb.MeasureRequest) -> pb.Measurement:  # noqa: ARG001 - as every measurement
        nonlocal measured
        measured += 1
        if measured == count:
            all_measured.set()
        return pb.Measurement(phase=pb.PHASE_SUCCESSFUL, value="v" * (MAX_RESPONSE_BYTES - 1024))

    streams = MeasurementStreams(max_in_progress=4, max_write_wait=0)
    async with open_stub(tmp_path, streams, measure) as stub:
        stream = stub.Measure()
        for identity in range(count):  # more than the flow control of HTTP/2 accepts
            await stream.write(request(identity))

        await asyncio.wait_for(all_measured.wait(), 60)


async def test_closed_streams_end_after_their_measurements_and_accept_no_others(tmp_path: Path) -> None:
    measurements, streams = Measurements(), MeasurementStreams()
    async with open_stub(tmp_path, streams, measurements.measure) as stub:
        stream = stub.Measure()
        await stream.write(request(1, name="1"))
        await measurements.wait(1)

        streams.close()
        with pytest.raises(grpc.aio.AioRpcError, match="the service stops"):
            await stub.Measure().read()
        measurements.complete("1")

        assert (await read(stream)).id == 1
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


def test_requests_of_a_stream_are_rejected_before_they_wait() -> None:
    assert MAX_IN_PROGRESS > MAX_CALLS


@asynccontextmanager
async def open_service(
    folder: Path, config: Config
) -> AsyncIterator[tuple[RunningServer, "rpc.MetricProviderAsyncStub"]]:
    path = folder / "p.sock"
    async with (
        open_server(config, Endpoint(path, None)) as server,
        grpc.aio.insecure_channel(f"unix:{path}") as channel,
    ):
        yield server, rpc.MetricProviderStub(channel)


@pytest.mark.parametrize("method", ["run", "resume"])
async def test_stream_returns_the_measurement_of_a_call(tmp_path: Path, method: str) -> None:
    config = Config(backends={"prod": UNREACHABLE_BACKEND})
    run = pb.Run(namespace="shop", name="run-1", created_at=STARTED_AT, started_at=STARTED_AT)
    previous = pb.Measurement(phase=pb.PHASE_RUNNING, started_at=STARTED_AT)
    async with open_service(tmp_path, config) as (_, stub):
        stream = stub.Measure()
        if method == "run":
            by_call = await stub.Run(pb.RunRequest(run=run, metric=METRIC), timeout=10)
            message = pb.MeasureRequest(id=1, timeout_ms=10_000, run=pb.RunRequest(run=run, metric=METRIC))
        else:
            resume = pb.ResumeRequest(run=run, metric=METRIC, measurement=previous)
            by_call = await stub.Resume(resume, timeout=10)
            message = pb.MeasureRequest(id=1, timeout_ms=10_000, resume=resume)
        await stream.write(message)
        by_stream = (await read(stream)).measurement

    assert by_stream.phase == by_call.phase
    assert by_stream.message.split(" ")[0] == by_call.message.split(" ")[0] == "OAP_UNAVAILABLE"
    assert (by_stream.started_at == previous.started_at) is (method == "resume")


@pytest.mark.parametrize(
    ("message", "phase", "reason"),
    [
        (pb.MeasureRequest(id=1, timeout_ms=10_000), pb.PHASE_ERROR, "BLOCK_INVALID"),
        (pb.MeasureRequest(id=1, timeout_ms=0, run=request(1).run), pb.PHASE_RUNNING, "OAP_UNAVAILABLE"),
        (pb.MeasureRequest(id=1, timeout_ms=2**32 - 1, run=request(1).run), pb.PHASE_RUNNING, "OAP_UNAVAILABLE"),
    ],
    ids=["no request", "no time", "endless time"],
)
async def test_unusual_request_has_a_response(
    tmp_path: Path, message: pb.MeasureRequest, phase: pb.Phase, reason: str
) -> None:
    async with open_service(tmp_path, Config(backends={"prod": UNREACHABLE_BACKEND})) as (_, stub):
        stream = stub.Measure()
        await stream.write(message)
        response = await read(stream)

    assert (response.id, response.measurement.phase) == (1, phase)
    assert response.measurement.message.startswith(reason)


async def test_stream_returns_the_reason_of_a_rejected_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "Admission", lambda: Admission(max_calls=0))
    async with open_service(tmp_path, Config(backends={"prod": UNREACHABLE_BACKEND})) as (_, stub):
        stream = stub.Measure()
        await stream.write(request(1, namespace="shop", name="run-1"))
        measurement = (await read(stream)).measurement

    assert measurement.phase == pb.PHASE_RUNNING
    assert measurement.message.startswith("PROVIDER_OVERLOADED call limit of namespace shop reached")


async def test_open_stream_does_not_delay_the_stop(tmp_path: Path) -> None:
    config = Config(backends={"prod": UNREACHABLE_BACKEND})
    async with open_service(tmp_path, config) as (server, stub):
        stream = stub.Measure()
        await stream.write(request(1, namespace="shop", name="run-1"))
        await read(stream)

        await asyncio.wait_for(server.drain(3600), 60)

        assert await stream.read() is grpc.aio.EOF


async def test_service_on_tcp_has_no_streams() -> None:
    config = Config(backends={"prod": UNREACHABLE_BACKEND})
    async with (
        open_server(config, Endpoint(None, "127.0.0.1:0")) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await rpc.MetricProviderStub(channel).Measure().read()

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
