"""Impossible times in requests: each response is a measurement, and never PROVIDER_INTERNAL."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.rendering import LAST_UNAVAILABLE_KEY
from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.server.admission import Admission
from skywalking_provider.server.conversion import decode_measurement, decode_run
from skywalking_provider.server.service import MetricProviderService
from skywalking_provider.support.instants import EARLIEST, LATEST, instant_from_epoch, parse_instant
from tests.analysis.harness import HarnessFactory, harness  # noqa: F401 - a fixture

NOW = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
SECONDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-62_135_596_801, 253_402_300_800),
    st.sampled_from([0, -1, 10**15, -62_135_596_800, 253_402_300_799, int(LATEST.timestamp())]),
    st.integers(int(NOW.timestamp()) - 200_000, int(NOW.timestamp()) + 200_000),
)
NANOS = st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from([0, -5, 10**9 - 1, 10**9]))
TIMESTAMPS = st.none() | st.builds(lambda seconds, nanos: Timestamp(seconds=seconds, nanos=nanos), SECONDS, NANOS)
METADATA = st.one_of(
    st.text(max_size=60),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.datetimes().map(datetime.isoformat),
    st.sampled_from(
        [
            "9999-12-31T23:59:59+00:00",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            "2026-11-24T12:00:00+23:59:59.999999",
            "2026-W48-2",
            "",
        ]
    ),
)


@dataclass
class Context:
    """Context of a gRPC call with a deadline."""

    def time_remaining(self) -> float:
        return 10.0


@pytest.mark.parametrize("seconds", [10**15, -(10**15), 253_402_300_799, -62_135_596_800, -1])
def test_decode_run_impossible_seconds_is_rejected_with_the_field(seconds: int) -> None:
    with pytest.raises(Exception, match=f"run.startedAt is not a possible time: {seconds} s and 0 ns after 1970"):
        decode_run(pb.Run(started_at=Timestamp(seconds=seconds)))


@pytest.mark.parametrize("field", ["started_at", "finished_at", "resume_at"])
@pytest.mark.parametrize("nanos", [-5, 10**9, 2**31 - 1])
def test_decode_measurement_invalid_nanoseconds_is_rejected_with_the_field(field: str, nanos: int) -> None:
    message = pb.Measurement(**{field: Timestamp(seconds=1_700_000_000, nanos=nanos)})

    with pytest.raises(Exception, match=rf"measurement\.{field[:-3]}At is not a possible time: .* {nanos} ns"):
        decode_measurement(message, NOW)


def test_decode_measurement_start_in_the_future_is_rejected_beyond_two_days() -> None:
    message = pb.Measurement()
    message.started_at.FromDatetime(NOW + timedelta(days=2))
    assert decode_measurement(message, NOW).started_at == NOW + timedelta(days=2)

    message.started_at.FromDatetime(NOW + timedelta(days=2, seconds=1))
    with pytest.raises(Exception, match=r"measurement\.startedAt is in the future: 2026-11-26 12:00:21 \+0000"):
        decode_measurement(message, NOW)


@given(SECONDS, NANOS)
def test_instant_from_epoch_equals_protobufs_own_within_the_bounds(seconds: int, nanos: int) -> None:
    instant = instant_from_epoch(seconds, nanos)

    if instant is not None:
        assert EARLIEST <= instant < LATEST
        assert instant == Timestamp(seconds=seconds, nanos=nanos).ToDatetime(tzinfo=UTC)


@given(METADATA)
def test_parse_instant_any_text_is_within_the_bounds_or_none(text: str) -> None:
    instant = parse_instant(text)

    assert instant is None or EARLIEST <= instant < LATEST


@pytest.fixture
async def serve(harness: HarnessFactory) -> AsyncIterator[Callable[[], MetricProviderService]]:  # noqa: F811
    async with harness("healthy-canary") as started:
        engine: Engine = started.engine
        yield lambda: MetricProviderService(engine, started.clock, Admission())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    run_times=st.tuples(TIMESTAMPS, TIMESTAMPS),
    measurement_times=st.tuples(TIMESTAMPS, TIMESTAMPS, TIMESTAMPS),
    metadata=st.none() | METADATA,
    since=st.sampled_from(["run", "window"]),
)
@example((None, None), (None, None, None), "9999-12-31T23:59:59+00:00", "window")
@example((None, None), (None, None, None), "2199-12-31T23:59:59+00:00", "window")  # it waited until then
@example((None, None), (Timestamp(seconds=int(LATEST.timestamp()) - 1), None, None), None, "window")
@example((Timestamp(seconds=-62_135_596_800), None), (None, None, None), None, "run")
@example((None, None), (Timestamp(seconds=int(LATEST.timestamp()) - 1), None, None), None, "run")
async def test_service_any_timestamps_and_metadata_return_a_measurement_without_a_bug(
    serve: Callable[[], MetricProviderService],
    run_times: tuple[Timestamp | None, Timestamp | None],
    measurement_times: tuple[Timestamp | None, Timestamp | None, Timestamp | None],
    metadata: str | None,
    since: str,
) -> None:
    service, context = serve(), Context()
    block = {"sli": "success-rate", "window": "3m", "service": "nope", "since": since}
    metric = pb.Metric(name="m", block=json.dumps(block).encode(), success_condition="result > 0")
    run = pb.Run(namespace="bookinfo", created_at=run_times[0], started_at=run_times[1])
    started_at, finished_at, resume_at = measurement_times
    measurement = pb.Measurement(
        phase=pb.PHASE_RUNNING, started_at=started_at, finished_at=finished_at, resume_at=resume_at
    )
    if metadata is not None:
        measurement.metadata[LAST_UNAVAILABLE_KEY] = metadata

    responses = [
        await service.Run(pb.RunRequest(metric=metric, run=run), context),  # type: ignore[arg-type]
        await service.Resume(  # type: ignore[arg-type]
            pb.ResumeRequest(metric=metric, run=run, measurement=measurement),
            context,  # type: ignore[arg-type]
        ),
    ]

    for response in responses:
        assert response.phase in (pb.PHASE_RUNNING, pb.PHASE_ERROR)
        assert not response.message.startswith("PROVIDER_INTERNAL")
        assert instant_from_epoch(response.started_at.seconds, response.started_at.nanos)
        if response.phase == pb.PHASE_ERROR:
            assert response.message.startswith(("REQUEST_INVALID", "ENTITY_NOT_FOUND")), response.message
        if response.phase == pb.PHASE_RUNNING:
            assert NOW.timestamp() < response.resume_at.seconds <= NOW.timestamp() + 3 * 86_400
