"""Fuzz tests of the engine: valid responses with one node replaced by junk.

Conditions are always true here, so a Successful measurement of junk would be a fault of the engine.
"""

import asyncio
import copy
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.conditions import Evaluation
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap.clock import MockClock
from skywalking_provider.mock_oap.graphql_executor import ExecutionInput, Executor
from skywalking_provider.mock_oap.scenario import load_scenario
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import select_version
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.oap.transport.credentials import Credentials
from skywalking_provider.oap.transport.error_mapping import error_from_graphql
from skywalking_provider.support.worker_thread import WorkerThread
from tests.analysis.harness import CANARY, NOON, VANILLA, VERSIONS, reference_query

DELETED: Any = object()
JUNK = ["junk", "NaN", "∞", "8,5", "²", "", [], [1], {}, {"values": 1}, None, True, 1.5, 2**70, 10**308, DELETED]


def condition(metric: str) -> str:
    return f'{{name: "{metric}", entity: {{scope: Service, serviceName: "{CANARY}", normal: true}}}}'


BLOCKS: dict[str, dict[str, Any]] = {
    "series": {"query": reference_query(fields="id value"), "interval": "3m"},
    "single": {
        "query": f"query q($duration: Duration!) {{ one: readMetricsValue(condition: {condition('service_sla')},"
        " duration: $duration) }",
        "interval": "3m",
    },
    "labeled": {
        "query": f"query q($duration: Duration!) {{ p: readLabeledMetricsValues("
        f"condition: {condition('service_percentile')}, labels: [], duration: $duration)"
        " { label values { values { id value } } } }",
        "interval": "3m",
    },
    "query of an expression": {
        "query": f'query q($duration: Duration!) {{ e: execExpression(expression: "service_percentile",'
        f' entity: {{serviceName: "{CANARY}", normal: true}}, duration: $duration)'
        " { type error results { metric { labels { key value } } values { id value } } } }",
        "interval": "3m",
    },
    "compatibility argo": {"query": reference_query(fields="id value"), "interval": "3m", "compatibility": "argo"},
    "expression": {"expression": "service_apdex", "window": "3m", "service": CANARY, "minCalls": 10},
    "labels": {"expression": "service_percentile", "window": "3m", "service": CANARY},
    "single value": {"expression": "avg(service_sla)", "window": "3m", "service": CANARY, "scale": 1e-5},
    "ranking": {"expression": "top_n(service_instance_cpm,3,des)", "window": "3m", "service": VANILLA},
    "instances": {
        "expression": "service_instance_cpm",
        "window": "3m",
        "service": VANILLA,
        "instances": {"name": "reviews-.*"},
    },
    "success rate": {
        "sli": "success-rate",
        "window": "3m",
        "service": VANILLA,
        "instances": {"podTemplateHash": "7d4f9c8b65"},
    },
    "percentile": {"sli": "latency", "percentile": 99, "window": "3m", "service": CANARY},
    "apdex": {"sli": "apdex", "window": "3m", "service": CANARY},
    "throughput": {"sli": "throughput", "window": "3m", "service": VANILLA, "endpoint": "POST:/reviews"},
}


class JunkClient:
    """Fake `OapClient`: responses of the mock, of which the selected one has junk in the selected node."""

    credentials = Credentials(BackendConfig(url="http://oap:12800"))
    worker = WorkerThread("responses")

    def __init__(self, oap: Executor, fuzzed: int | None = None, node: int = 0, junk: Any = None) -> None:
        self._oap = oap
        self._fuzzed = fuzzed
        self._node = node
        self._junk = junk
        self.requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, read: GraphqlRequest, _: Deadline) -> dict[str, Any]:
        response = json.loads(self._oap.execute(ExecutionInput(read.query, read.variables)).body)
        self.requests += 1
        if "errors" in response:
            raise error_from_graphql(response["errors"], "prod", str)
        data: dict[str, Any] = response["data"]
        if self.requests - 1 == self._fuzzed:
            locations = list(nodes(data))
            owner, key = locations[self._node % len(locations)]
            if self._junk is DELETED:
                del owner[key]
            else:
                owner[key] = copy.deepcopy(self._junk)
        return data


class AlwaysTrue:
    """Fake `ConditionEvaluator`: every condition is true, and the value is the result."""

    async def evaluate(self, _: object, result: bytes, *__: object) -> Evaluation:
        return Evaluation(Phase.SUCCESSFUL, value=result.decode())


def nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every node below the root, as its owner and its key."""
    for key, child in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(child, dict | list):
            yield from nodes(child)


def numbers(tree: Any) -> set[float]:
    """Return the numbers of a result, also those in texts, without times and ids."""
    if isinstance(tree, dict):
        return set().union(*(numbers(child) for key, child in tree.items() if key not in ("id", "key", "label")))
    if isinstance(tree, list):
        return set().union(*map(numbers, tree))
    try:
        return {float(tree)} if tree is not None and math.isfinite(float(tree)) else set()
    except ValueError:
        return set()


def start_executor(version: str, scenario: str = "failing-canary") -> Executor:
    clock = MockClock(lambda: NOON, UTC)
    return Executor(Store(load_scenario(scenario), clock), select_version(version))


async def measure(client: JunkClient, block: dict[str, Any], condition: str = "true") -> Measurement:
    config = BackendConfig.model_validate(
        {"url": "http://oap", "clockTtl": "0s", "cache": {"responseTtl": "0s", "verdictTtl": "0s"}}
    )
    run = Run(started_at=NOON - timedelta(hours=1))

    def now() -> datetime:
        return NOON

    async with open_backends({"prod": config}, now, lambda *_: client) as backends:  # type: ignore[arg-type, return-value]
        engine = Engine(backends, AlwaysTrue(), now)  # type: ignore[arg-type]
        content = json.dumps({"maxWait": "0"} | block).encode()
        return await engine.run(Metric("m", condition, "", content), run, Deadline.after(10))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner
    asyncio.set_event_loop(None)


WITH_MQE = {"query of an expression", "expression", "labels", "single value", "ranking", "instances"}
CASES = [
    (version, name)
    for version in VERSIONS
    for name in BLOCKS
    if version != "9.2.0" or name not in WITH_MQE | {"labeled"}  # 9.2 requires label numbers
]


@pytest.mark.parametrize(("version", "name"), CASES)
def test_fuzzed_response_is_never_internal_error_and_never_success(
    runner: asyncio.Runner, version: str, name: str
) -> None:
    block, oap = BLOCKS[name], start_executor(version)
    valid = JunkClient(oap)
    expected = runner.run(measure(valid, block))
    assert expected.phase is Phase.SUCCESSFUL, expected.message

    @settings(deadline=None, max_examples=25)
    @given(fuzzed=st.integers(0, valid.requests - 1), node=st.integers(0, 500), junk=st.sampled_from(JUNK))
    def check(fuzzed: int, node: int, junk: Any) -> None:
        measurement = runner.run(measure(JunkClient(oap, fuzzed, node, junk), block))

        assert not measurement.message.startswith("PROVIDER_INTERNAL"), measurement.message
        assert measurement.phase is not Phase.FAILED
        if measurement.phase is Phase.SUCCESSFUL and name != "compatibility argo":
            measured_numbers = numbers(json.loads(measurement.value))
            assert measured_numbers
            assert measured_numbers <= numbers(json.loads(expected.value)) or (junk is None and name == "throughput")

    check()


@pytest.mark.parametrize("version", VERSIONS)
def test_fuzzed_response_to_alarms_is_never_internal_error(runner: asyncio.Runner, version: str) -> None:
    block, oap = {"alarms": {}, "window": "5m", "service": CANARY}, start_executor(version, "alarming-canary")
    valid = JunkClient(oap)
    expected = runner.run(measure(valid, block, ""))
    assert expected.message.startswith("ALARM_FIRED"), expected.message

    @settings(deadline=None, max_examples=25)
    @given(fuzzed=st.integers(0, valid.requests - 1), node=st.integers(0, 500), junk=st.sampled_from(JUNK))
    def check(fuzzed: int, node: int, junk: Any) -> None:
        measurement = runner.run(measure(JunkClient(oap, fuzzed, node, junk), block, ""))

        assert not measurement.message.startswith("PROVIDER_INTERNAL"), measurement.message
        assert measurement.message.isprintable()

    check()
