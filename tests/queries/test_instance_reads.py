"""Reads of instances: requests of a look, and results that do not depend on the last list."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator, open_condition_evaluator
from skywalking_provider.config import BackendConfig
from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario
from skywalking_provider.model import Deadline, Measurement, Metric, Phase
from skywalking_provider.oap import open_backends
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.oap.traffic.instance_lists import MAX_LIST_CHARACTERS
from skywalking_provider.queries.instance_reads import count_characters, prevents_caching
from skywalking_provider.queries.instance_selection import drop_unread_attributes, select_by_hash
from tests.analysis.harness import NOON, VERSIONS, Harness, HarnessFactory
from tests.analysis.judged import (
    CANARY_HASH,
    COMPARE,
    OBJECTIVE,
    RUN,
    SERVICE,
    STABLE_HASH,
    calls,
    judge_at,
    metric,
    pod,
    rollout,
)

CANARY, STABLE = pod(CANARY_HASH, calls(120, 1)), pod(STABLE_HASH, calls(1080, 9))
SECOND_CANARY = pod(CANARY_HASH, calls(120, 60), suffix="zzzzz")
THRESHOLD = {"sli": "success-rate", "service": SERVICE, "instances": {"podTemplateHash": CANARY_HASH}, "window": "5m"}
BY_NAME = THRESHOLD | {"instances": {"name": "reviews-6c85.*"}}
LATENCY = THRESHOLD | {"sli": "latency"}
EXPRESSION = {
    "expression": "avg(service_instance_cpm)",
    "service": SERVICE,
    "instances": {"podTemplateHash": CANARY_HASH},
    "window": "5m",
}
JUDGED_FORMS: Final[Mapping[str, dict[str, Any]]] = {"compare": COMPARE, "objective": OBJECTIVE}
THRESHOLDED_FORMS: Final[Mapping[str, dict[str, Any]]] = {"hash": THRESHOLD, "name": BY_NAME, "latency": LATENCY}
FORMS: Final[Mapping[str, dict[str, Any]]] = {**JUDGED_FORMS, **THRESHOLDED_FORMS}
REJECTION = '{"errors": [{"message": "Validation error"}]}'


async def look(harness: Harness, minute: float, block: dict[str, Any]) -> tuple[Measurement, list[str]]:
    """Return a measurement and the requests that it sent, without those for the time of the OAP."""
    before = len(harness.oap.requests)
    condition = "true" if "window" in block else ""
    measurement = await judge_at(harness, minute, block, success=condition)
    sent = [request.body for request in harness.oap.requests[before:]]
    return measurement, [body for body in sent if "getTimeInfo" not in body]


@asynccontextmanager
async def open_sharing(scenario: Scenario) -> AsyncIterator[Harness]:
    """Open an engine whose response cache has the test's clock."""
    clock = ManualClock(NOON)
    async with AsyncExitStack() as stack:
        oap = await stack.enter_async_context(MockOap(scenario, clock=clock))
        evaluator = await stack.enter_async_context(open_condition_evaluator())
        config = BackendConfig.model_validate({"url": oap.url, "cache": {"verdictTtl": "0s"}})
        backends = await stack.enter_async_context(
            open_backends({"prod": config}, clock, monotonic=lambda: clock().timestamp())
        )
        yield Harness(oap, clock, Engine(backends, evaluator, clock))


def kinds(requests: list[str]) -> list[str]:
    """Return which of lists and series each request has. Those for the inventory have neither."""
    fields = {"list": "listInstances", "series": "values"}
    found = ("+".join(kind for kind, field in fields.items() if field in body) for body in requests)
    return [one for one in found if one]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
async def test_second_look_sends_one_request(harness: HarnessFactory, form: str, version: str) -> None:
    async with harness(rollout(CANARY, STABLE), version=version) as running:
        _, first = await look(running, 6.2, FORMS[form])
        measurement, second = await look(running, 7.2, FORMS[form])

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert kinds(first) == ["list", "list+series"]
    assert kinds(second) == ["list+series"]


async def test_second_look_of_an_expression_sends_one_request(harness: HarnessFactory) -> None:
    async with harness(rollout(CANARY, STABLE)) as running:
        await look(running, 6.2, EXPRESSION)
        measurement, second = await look(running, 7.2, EXPRESSION)

    assert measurement.value == f'{{"{CANARY["name"]}":120}}', measurement.message
    assert kinds(second) == ["list+series"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_sides_of_two_services_are_read_in_one_request(harness: HarnessFactory, version: str) -> None:
    scenario = Scenario.model_validate(
        {
            "services": [
                {"name": SERVICE, "instances": [CANARY]},
                {"name": "ratings", "instances": [STABLE]},
            ]
        }
    )
    block = COMPARE | {"compare": {"service": "ratings", "instances": {"podTemplateHash": STABLE_HASH}}}
    async with harness(scenario, version=version) as running:
        _, first = await look(running, 6.2, block)
        measurement, second = await look(running, 7.2, block)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert json.loads(measurement.value)["minutes"] == 5
    assert kinds(first) == ["list", "list", "list+series"]
    assert kinds(second) == ["list+series"]
    assert second[0].count("listInstances") == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
async def test_new_pod_is_measured_in_the_look_that_lists_it(harness: HarnessFactory, form: str, version: str) -> None:
    async with harness(rollout(CANARY, STABLE), version=version) as running:
        await look(running, 6.2, FORMS[form])
        running.oap.set_scenario(rollout(CANARY, SECOND_CANARY, STABLE))
        measurement, sent = await look(running, 7.2, FORMS[form])
    async with harness(rollout(CANARY, SECOND_CANARY, STABLE), version=version) as running:
        expected, _ = await look(running, 7.2, FORMS[form])

    assert (measurement.phase, measurement.value, measurement.message) == (
        expected.phase,
        expected.value,
        expected.message,
    )
    assert kinds(sent) == ["list+series", "list+series"]


async def test_pods_that_are_not_selected_change_no_request(harness: HarnessFactory) -> None:
    async with harness(rollout(CANARY, STABLE)) as running:
        await look(running, 6.2, OBJECTIVE)
        running.oap.set_scenario(rollout(CANARY, pod(STABLE_HASH, calls(1080), suffix="other")))
        _, sent = await look(running, 7.2, OBJECTIVE)

    assert kinds(sent) == ["list+series"]


async def test_pod_that_gets_the_hash_by_an_attribute_is_measured_at_once(harness: HarnessFactory) -> None:
    unnamed = {"name": "5f0b@10.0.0.1", "traffic": [calls(120, 60)]}
    async with harness(rollout(CANARY, STABLE, unnamed)) as running:
        await look(running, 6.2, OBJECTIVE)
        running.oap.set_scenario(rollout(CANARY, STABLE, unnamed | {"attributes": {"hostname": SECOND_CANARY["name"]}}))
        measurement, _ = await look(running, 7.2, OBJECTIVE)

    assert "2 instances of 6c85f7bf4" in measurement.message


async def test_missing_canary_is_found_in_the_look_that_lists_it(harness: HarnessFactory) -> None:
    async with harness(rollout(STABLE)) as running:
        waiting, _ = await look(running, 6.2, THRESHOLD)
        running.oap.set_scenario(rollout(CANARY, STABLE))
        measurement, sent = await look(running, 7.2, THRESHOLD)

    assert waiting.message.startswith("ENTITY_NOT_FOUND ")
    assert measurement.phase is Phase.SUCCESSFUL
    assert kinds(sent) == ["list", "list+series"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
async def test_vanished_canary_has_the_message_of_the_list_of_now(
    harness: HarnessFactory, form: str, version: str
) -> None:
    async with harness(rollout(CANARY, STABLE), version=version) as running:
        await look(running, 6.2, FORMS[form])
        running.oap.set_scenario(rollout(STABLE | {"attributes": {"zone": "b"}}))
        measurement, sent = await look(running, 7.2, FORMS[form])
    async with harness(rollout(STABLE | {"attributes": {"zone": "b"}}), version=version) as running:
        expected, _ = await look(running, 7.2, FORMS[form])

    assert measurement.message == expected.message
    assert measurement.message.startswith("ENTITY_NOT_FOUND ")
    assert sent


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "response",
    [REJECTION, '{"data": {"instances0": [1]}}', '{"data": {}}'],
    ids=["rejected", "invalid list", "no list"],
)
async def test_request_that_oap_rejects_is_replaced_by_separate_ones(
    harness: HarnessFactory, form: str, version: str, response: str
) -> None:
    async with harness(rollout(CANARY, STABLE), version=version) as running:
        await look(running, 6.2, FORMS[form])
        running.oap.respond_with(response, match="instances0")
        measurement, sent = await look(running, 7.2, FORMS[form])
    async with harness(rollout(CANARY, STABLE), version=version) as running:
        expected, _ = await look(running, 7.2, FORMS[form])

    assert measurement.phase is Phase.SUCCESSFUL
    assert (measurement.value, measurement.message) == (expected.value, expected.message)
    assert kinds(sent) == ["list+series", "list", "series"]


async def test_outage_is_not_followed_by_other_requests(harness: HarnessFactory) -> None:
    async with harness(rollout(CANARY, STABLE)) as running:
        await look(running, 6.2, COMPARE)
        running.oap.add_fault("status", status=503, match="instances0")
        measurement, sent = await look(running, 7.2, COMPARE)

    assert (measurement.phase, measurement.message.partition(" ")[0]) == (Phase.RUNNING, "OAP_UNAVAILABLE")
    assert kinds(sent) == ["list+series"]


async def test_long_list_is_read_apart_from_the_series(harness: HarnessFactory) -> None:
    libraries = {"attributes": {"Jar Dependencies": "spring-boot-3.2.1.jar, " * 1000}}
    async with harness(rollout(CANARY | libraries, STABLE)) as running:
        await look(running, 6.2, COMPARE)
        _, sent = await look(running, 7.2, COMPARE)

    assert kinds(sent) == ["list", "series"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_oap_with_a_low_limit_of_fields_gets_no_larger_request(harness: HarnessFactory, version: str) -> None:
    pods = [pod(CANARY_HASH, calls(120, 1), suffix=f"pod{at:02}") for at in range(10)]
    fields = (6 if version == "9.2.0" else 11) * 20  # of the series; the list has five more
    async with harness(rollout(*pods, STABLE), version=version, max_complexity=fields) as running:
        _, first = await look(running, 6.2, OBJECTIVE)
        measurement, second = await look(running, 7.2, OBJECTIVE)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert kinds(first) == ["list", "list+series", "series"]
    assert kinds(second) == ["list", "series"]


async def test_runs_of_a_service_share_the_request_of_a_look() -> None:
    async with open_sharing(rollout(CANARY, STABLE)) as running:
        await look(running, 6.2, COMPARE)
        before = len(running.oap.requests)
        running.clock.set(NOON + timedelta(minutes=7.2))
        for _ in range(2):
            measured = await asyncio.gather(
                *(running.engine.run(metric(COMPARE), RUN, Deadline.after(10)) for _ in range(20))
            )
        sent = [one.body for one in running.oap.requests[before:]]

    assert {one.phase for one in measured} == {Phase.SUCCESSFUL}
    assert kinds(sent) == ["list+series"]


async def test_look_at_new_pods_is_shared_by_the_runs_of_a_service() -> None:
    async with open_sharing(rollout(CANARY, STABLE)) as running:
        await look(running, 6.2, COMPARE)
        running.oap.set_scenario(rollout(CANARY, SECOND_CANARY, STABLE))
        requests = [await look(running, 7.2, COMPARE) for _ in range(3)]

    assert [kinds(sent) for _, sent in requests] == [["list+series", "list+series"], [], []]


def test_lists_are_left_out_if_only_they_make_the_response_too_large_for_the_cache() -> None:
    assert not prevents_caching(2000, 16 * 1024)
    assert prevents_caching(3200, 16 * 1024)
    assert not prevents_caching(4000, 16 * 1024)  # too large without them, too


def test_size_of_a_list_is_that_of_its_response_and_counted_to_the_limit() -> None:
    listed = [InventoryInstance(f"reviews-{CANARY_HASH}-{at:05}", {"hostname": "node", "zone": "b"}) for at in range(9)]
    response = [
        {"name": one.name, "attributes": [{"name": key, "value": value} for key, value in one.attributes.items()]}
        for one in listed
    ]

    assert count_characters(listed) == pytest.approx(len(json.dumps(response, separators=(",", ":"))), rel=0.1)
    assert MAX_LIST_CHARACTERS < count_characters(itertools.cycle(listed)) < MAX_LIST_CHARACTERS + 100


attributes = st.dictionaries(
    st.sampled_from(["hostname", "pod", "version", "rollouts-pod-template-hash", "Jar Dependencies", "OS Name"]),
    st.sampled_from([f"reviews-{CANARY_HASH}-abcde", CANARY_HASH, STABLE_HASH, "Linux", "a.jar, b.jar"]),
)
instances = st.builds(
    InventoryInstance, st.sampled_from([f"reviews-{CANARY_HASH}-abcde", "5f0b@1", "77aa@2"]), attributes
)


@given(st.lists(instances, max_size=5))
def test_attributes_that_are_dropped_change_no_selection(known: list[InventoryInstance]) -> None:
    def select(listed: Any) -> object:
        try:
            return select_by_hash(CANARY_HASH, SERVICE, listed)
        except Exception as error:  # noqa: BLE001 - the messages differ in the attributes that they list
            return type(error)

    assert select(drop_unread_attributes(known)) == select(known)
    assert count_characters(known) >= count_characters(drop_unread_attributes(known))


# -- any sequence of pods


@pytest.fixture(scope="module", params=VERSIONS)
def oap(request: pytest.FixtureRequest) -> Iterator["Replicas"]:
    with asyncio.Runner() as runner:
        replicas = Replicas(runner, request.param)
        yield replicas
        runner.run(replicas.close())


class Replicas:
    """A mock OAP, and replicas of the service that share nothing else."""

    def __init__(self, runner: asyncio.Runner, version: str) -> None:
        self.clock = ManualClock(NOON)
        self._runner = runner
        self._stack = AsyncExitStack()
        self.oap, self._evaluator = runner.run(self._open(version))

    async def _open(self, version: str) -> tuple[MockOap, ConditionEvaluator]:
        oap = await self._stack.enter_async_context(MockOap(rollout(CANARY), clock=self.clock, version=version))
        return oap, await self._stack.enter_async_context(open_condition_evaluator())

    async def close(self) -> None:
        await self._stack.aclose()

    async def open_replica(self, stack: AsyncExitStack) -> Engine:
        config = BackendConfig.model_validate({"url": self.oap.url, "retries": 0, "circuit": {"coolDown": "0s"}})
        backends = await stack.enter_async_context(
            open_backends({"prod": config}, self.clock, monotonic=lambda: self.clock().timestamp())
        )
        return Engine(backends, self._evaluator, self.clock)

    def compare(self, looks: list["Look"]) -> None:
        """Check that a replica with the last lists and a new one measure the same in each look."""
        self._runner.run(self._compare(looks))

    async def _compare(self, looks: list["Look"]) -> None:
        async with AsyncExitStack() as stack:
            old = await self.open_replica(stack)
            for at, (pods, failing, blocks) in enumerate(looks):
                self.clock.set(NOON + timedelta(minutes=at + 6))
                self.oap.set_scenario(rollout(*pods))
                self.oap.clear_faults()
                if failing:
                    self.oap.respond_with(REJECTION, match="instances0")
                async with AsyncExitStack() as short:
                    new = await self.open_replica(short)
                    for block in blocks:
                        assert await measure(old, block) == await measure(new, block)


async def measure(engine: Engine, block: dict[str, Any]) -> tuple[Phase, str, str]:
    condition = "result > 0.5" if "window" in block else ""
    measurement = await engine.run(Metric("m", condition, "", json.dumps(block).encode()), RUN, Deadline.after(60))
    return measurement.phase, measurement.value, measurement.message


Look = tuple[list[dict[str, Any]], bool, list[dict[str, Any]]]

hashes = st.sampled_from([CANARY_HASH, STABLE_HASH, "7d4f9c8b65"])
traffic = st.sampled_from([calls(120, 1), calls(120, 30), calls(3)])
named_pods = st.builds(
    lambda one, number, suffix: pod(one, number, suffix=suffix), hashes, traffic, st.sampled_from("ab")
)
described_pods = st.builds(
    lambda name, one, number: {"name": name, "attributes": {"hostname": f"reviews-{one}-x7k2d"}, "traffic": [number]},
    st.sampled_from(["5f0b@10.0.0.1", "77aa@10.0.0.2"]),
    hashes,
    traffic,
)
pods = st.lists(named_pods | described_pods, max_size=6, unique_by=lambda one: one["name"])
FORMS_OF_RUNS = [COMPARE, OBJECTIVE, THRESHOLD, BY_NAME]
blocks = st.lists(st.sampled_from(FORMS_OF_RUNS), min_size=1, max_size=3)


@pytest.mark.timeout(600)  # real requests of up to a hundred measurements
@settings(deadline=None, max_examples=8)
@example([([CANARY, STABLE], False, FORMS_OF_RUNS), ([CANARY, STABLE, SECOND_CANARY], False, FORMS_OF_RUNS)])
@example([([CANARY, STABLE], False, FORMS_OF_RUNS), ([STABLE], False, FORMS_OF_RUNS), ([CANARY], True, FORMS_OF_RUNS)])
@given(st.lists(st.tuples(pods, st.sampled_from([False, False, False, True]), blocks), min_size=2, max_size=4))
def test_measurement_does_not_depend_on_the_last_list(oap: Replicas, looks: list[Look]) -> None:
    oap.compare(looks)
