"""Properties of whole measurements in virtual time, for any sequence of OAP states.

Hypothesis draws the states: unavailable, service not found, no data, or data, for any duration. Conditions are always
true, so a Successful measurement without data would be a fault of the engine.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.conditions import Evaluation
from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import BackendUnavailableError, FailureKind
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.support.durations import parse_duration
from skywalking_provider.support.worker_thread import WorkerThread
from tests.analysis.harness import reference_query

START = datetime(2026, 11, 24, 12, 0, 20, tzinfo=UTC)
SERVICE = "reviews.bookinfo"
METRICS = ("service_sla", "service_cpm", "service_resp_time", "service_apdex", "service_percentile")

seconds = st.integers(0, 900)
durations = st.integers(0, 600).map(lambda number: f"{number}s")
states = st.lists(
    st.tuples(st.sampled_from(["unavailable", "not found", "no data", "data"]), seconds), min_size=1, max_size=6
)
policies = st.fixed_dictionaries(
    {},
    optional={
        "maxWait": durations,
        "outageGrace": durations,
        "onNoData": st.sampled_from(["inconclusive", "error", "failed", "successful"]),
        "onOutage": st.sampled_from(["inconclusive", "error"]),
        "settle": st.integers(0, 120).map(lambda number: f"{number}s"),
    },
)
blocks = st.sampled_from(
    [
        {"query": reference_query(SERVICE), "interval": "3m"},
        {"sli": "success-rate", "window": "5m", "service": SERVICE},
        {"sli": "throughput", "window": "5m", "service": SERVICE, "since": "window", "minCalls": 10},
        {"expression": "service_apdex", "window": "3m", "service": SERVICE},
    ]
)


@dataclass
class World:
    """A clock that tests move, and an OAP with a schedule of states."""

    now: datetime
    states: list[tuple[str, int]]

    def clock(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    @property
    def state(self) -> str:
        elapsed = (self.now - START).total_seconds()
        for state, duration_seconds in self.states:
            if elapsed < duration_seconds:
                return state
            elapsed -= duration_seconds
        return self.states[-1][0]

    def respond(self, read: GraphqlRequest) -> dict[str, Any]:
        if self.state == "unavailable":
            raise BackendUnavailableError(
                "backend prod responded 503 Service Unavailable", kind=FailureKind.UNAVAILABLE
            )
        if "getTimeInfo" in read.query:
            return {"getTimeInfo": {"timezone": "+0545", "currentTimestamp": round(self.now.timestamp() * 1000)}}
        if "__type" in read.query:
            queries = [{"name": name} for name in ("readMetricsValues", "readNullableMetricsValue", "execExpression")]
            return {"query": {"fields": queries}}
        if "listMetrics" in read.query:
            return {"metrics": [{"name": name} for name in METRICS]}
        if "listServices" in read.query:
            known = {"id": "1", "name": SERVICE, "layers": ["MESH"], "normal": True}
            return {"services": [] if self.state == "not found" else [known]}
        return self._values(read)

    def _values(self, read: GraphqlRequest) -> dict[str, Any]:
        duration: Any = read.variables["duration"]
        first, last = (
            datetime.strptime(duration[end], "%Y-%m-%d %H%M").replace(tzinfo=UTC) for end in ("start", "end")
        )
        buckets = range(round((last - first).total_seconds()) // 60 + 1)
        there = self.state == "data"
        offset = timedelta(hours=5, minutes=45)
        ids = [str(round((first - offset + at * timedelta(minutes=1)).timestamp() * 1000)) for at in buckets]
        mqe = {
            "type": "TIME_SERIES_VALUES",
            "error": None,
            "results": [
                {"metric": {"labels": []}, "values": [{"id": one, "value": "100" if there else None} for one in ids]}
            ],
        }
        v2 = {"label": None, "values": {"values": [{"value": 100 * there, "isEmptyValue": not there} for _ in buckets]}}
        names = [name for name in read.variables if isinstance(read.variables[name], str)]
        return dict.fromkeys(names, mqe) | dict.fromkeys(("service_apdex", "swp_present_service_apdex"), v2)


class Client:
    """Fake `OapClient`."""

    credentials = Credentials(BackendConfig(url="http://oap:12800"))
    worker = WorkerThread("responses")

    def __init__(self, world: World) -> None:
        self._world = world

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, read: GraphqlRequest, _: Deadline) -> dict[str, Any]:
        return self._world.respond(read)


class AlwaysTrue:
    """Fake `ConditionEvaluator`: every condition is true."""

    async def evaluate(self, *_: object) -> Evaluation:
        return Evaluation(Phase.SUCCESSFUL, value="1")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner
    asyncio.set_event_loop(None)


async def whole_measurement(world: World, block: dict[str, Any], run: Run) -> list[tuple[datetime, Measurement]]:
    """Return every attempt with its time. Attempts are resumed as Argo does."""
    metric = Metric("m", "true", "", json.dumps(block).encode())
    config = BackendConfig.model_validate(
        {"url": "http://oap", "clockTtl": "0s", "retries": 0, "cache": {"responseTtl": "0s", "verdictTtl": "0s"}}
    )
    client: Any = Client(world)
    async with open_backends({"prod": config}, world.clock, lambda *_: client, monotonic=world.monotonic) as backends:
        engine = Engine(backends, AlwaysTrue(), world.clock, monotonic=world.monotonic)  # type: ignore[arg-type]
        steps = [(world.now, await engine.run(metric, run, Deadline.after(10)))]
        while not steps[-1][1].phase.completed and len(steps) < 500:
            before = steps[-1][1]
            assert before.resume_at
            world.now = before.resume_at
            steps.append((world.now, await engine.resume(metric, run, before, Deadline.after(10))))
    return steps


@given(states, blocks, policies, st.booleans(), st.integers(0, 59))
def test_measurement_for_any_sequence_of_oap_states_keeps_guarantees(
    runner: asyncio.Runner,
    states: list[tuple[str, int]],
    block: dict[str, Any],
    policy: dict[str, str],
    background: bool,
    second: int,
) -> None:
    world = World(START.replace(second=second), states)
    run = Run(started_at=START, labels={"rollout-type": "Background" if background else "Step"})

    steps = runner.run(whole_measurement(world, block | policy, run))

    ended_at, last = steps[-1]
    reason = last.message.split(" ")[0]
    # 1. No data is Successful only if the block specifies it. 2. An unavailable backend is never Failed.
    if last.phase is Phase.SUCCESSFUL and not reason:
        assert world.state == "data"
    if last.phase is Phase.SUCCESSFUL and reason:
        assert (reason in ("NO_DATA", "TOO_FEW_CALLS"), policy.get("onNoData")) == (True, "successful")
    if reason == "OAP_UNAVAILABLE":
        assert last.phase.value.lower() == policy.get("onOutage", "inconclusive")
        assert ended_at - last.started_at >= parse_duration(policy.get("outageGrace", "5m"))
        assert world.state == "unavailable"
    if last.phase is Phase.FAILED:
        assert (reason in ("NO_DATA", "TOO_FEW_CALLS"), policy.get("onNoData")) == (True, "failed")
    # 3. Every pending attempt has a resume time: later, in whole seconds, within a minute. The start is kept.
    for at, step in steps[:-1]:
        assert step.phase is Phase.RUNNING
        assert step.resume_at is not None
        assert at < step.resume_at <= at + timedelta(seconds=61)
        assert step.resume_at.microsecond == 0
        assert step.finished_at is None
    assert {step.started_at for _, step in steps} == {steps[0][1].started_at}
    # 4. The measurement ends, and a completed one has no metadata.
    assert last.phase.completed
    assert last.finished_at == ended_at
    assert last.metadata == {}


@given(states, blocks, policies)
def test_measurement_for_same_oap_states_is_deterministic(
    runner: asyncio.Runner,
    states: list[tuple[str, int]],
    block: dict[str, Any],
    policy: dict[str, str],
) -> None:
    def once() -> list[tuple[datetime, Measurement]]:
        world = World(START, states)
        return runner.run(whole_measurement(world, block | policy, Run(started_at=START)))

    assert once() == once()
