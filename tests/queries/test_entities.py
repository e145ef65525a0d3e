"""Resolution of services, endpoints and instances, on every OAP version."""

import json
from typing import Any

import pytest

from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Phase
from tests.analysis.harness import HASH, VANILLA, VERSIONS, HarnessFactory, measure


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"service": "review.bookinfo"},
            "service: OAP does not know 'review.bookinfo'. Did you mean reviews.bookinfo?",
        ),
        ({"service": VANILLA, "layer": "GENERAL"}, "OAP knows 'reviews.bookinfo' in MESH, not in layer GENERAL"),
        ({"service": VANILLA, "endpoint": "/none"}, "endpoint: OAP does not know '/none' of 'reviews.bookinfo'"),
        (
            {"service": VANILLA, "instances": {"podTemplateHash": "85f7bf4"}},  # a substring is not a segment
            "instances: no instance of 'reviews.bookinfo' matches 85f7bf4. The 3 instances include reviews-6c85f7bf4",
        ),
    ],
    ids=["service", "layer", "endpoint", "instances"],
)
async def test_unknown_entity_waits_and_then_is_an_error_with_similar_names(
    harness: HarnessFactory, block: dict[str, Any], expected: str
) -> None:
    async with harness() as b:
        first = await measure(b, sli="throughput", **block)
        at_once = await measure(b, sli="throughput", maxWait="0", **block)

    assert first.phase is Phase.RUNNING
    assert at_once.phase is Phase.ERROR
    assert expected in first.message
    assert expected in at_once.message
    assert at_once.message.startswith("ENTITY_NOT_FOUND ")


async def test_hash_in_the_attributes_of_an_instance_selects_it(
    harness: HarnessFactory,
) -> None:

    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            layer: GENERAL
            instances:
              - name: 5f0b@10.0.0.1
                attributes: {{hostname: reviews-{HASH}-abcde}}
                traffic: [{{calls: 10}}]
              - name: 77aa@10.0.0.2
                attributes: {{hostname: reviews-7d4f9c8b65-abcde}}
                traffic: [{{calls: 10, failures: 5}}]
            traffic: [{{calls: 20}}]
        """,
        "test",
    )
    async with harness(scenario) as b:
        measurement = await measure(b, sli="success-rate", service=VANILLA, instances={"podTemplateHash": HASH})

    assert measurement.value == "1"


async def test_several_instances_are_read_in_one_request(harness: HarnessFactory) -> None:
    async with harness() as b:
        await measure(b, sli="success-rate", service=VANILLA, instances={"name": "reviews-.*"})

        assert sum("execExpression" in request.body for request in b.oap.requests) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_selector_of_120_instances_measures_all_of_them(harness: HarnessFactory, version: str) -> None:
    pods = "\n".join(
        f"              - {{name: reviews-{HASH}-{pod:05}, traffic: [{{calls: 10}}]}}" for pod in range(120)
    )
    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            instances:
{pods}
            traffic: [{{calls: 1200}}]
        """,
        "test",
    )
    async with harness(scenario, version=version, backend={"timeout": "9s"}) as b:
        measurement = await measure(b, sli="throughput", service=VANILLA, instances={"podTemplateHash": HASH})

    assert measurement.value == "1200", measurement.message


async def test_features_and_inventory_are_requested_once(harness: HarnessFactory) -> None:
    async with harness() as b:
        for _ in range(5):
            await measure(b, sli="success-rate", service=VANILLA)

        bodies = [request.body for request in b.oap.requests]
    assert [sum(word in body for body in bodies) for word in ("__type", "listServices", "listMetrics")] == [1, 1, 1]


async def test_service_name_with_graphql_syntax_stays_a_variable(harness: HarnessFactory) -> None:
    injection = 'x") { __schema { types { name } } } #'
    async with harness() as b:
        measurement = await measure(b, sli="throughput", service=injection, maxWait="0")

        assert all(injection not in json.loads(request.body)["query"] for request in b.oap.requests)
    assert measurement.phase is Phase.ERROR


async def test_oap_without_introspection_is_treated_as_the_newest(harness: HarnessFactory) -> None:
    async with harness() as b:
        forbidden = '{"errors": [{"message": "introspection is disabled"}]}'
        b.oap.respond_with(forbidden, match="__type")

        assert (await measure(b, sli="success-rate", service=VANILLA)).value == "1"
        assert (await measure(b, sli="throughput", service=VANILLA)).phase is Phase.SUCCESSFUL

        assert sum("__type" in request.body for request in b.oap.requests) == 1


@pytest.mark.timeout(20)
async def test_regular_expression_with_exponential_backtracking_ends_in_time(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await measure(
            b, sli="throughput", service=VANILLA, instances={"name": "([a-z0-9-]+)+!"}, maxWait="0"
        )

    assert measurement.message.startswith("ENTITY_NOT_FOUND ")


async def test_instance_without_traffic_is_absent_from_the_result(harness: HarnessFactory) -> None:
    scenario = parse_scenario(
        f"""
        services:
          - name: {VANILLA}
            instances:
              - {{name: reviews-{HASH}-aaaaa, traffic: [{{calls: 10}}]}}
              - {{name: reviews-{HASH}-bbbbb, traffic: [{{calls: 10, until: -60}}]}}
            traffic: [{{calls: 10}}]
        """,
        "test",
    )
    async with harness(scenario) as b:
        measurement = await measure(
            b,
            "all(values(result), # >= 0.99)",
            expression="avg(service_instance_sla)",
            scale=10000,
            service=VANILLA,
            instances={"podTemplateHash": HASH},
        )

    assert (measurement.phase, measurement.value) == (Phase.SUCCESSFUL, f'{{"reviews-{HASH}-aaaaa":1}}')


async def test_endpoint_beyond_the_listed_hundred_is_measured(
    harness: HarnessFactory,
) -> None:
    endpoints = ", ".join(f'"/api/{number}"' for number in range(120))
    scenario = parse_scenario(
        f"services: [{{name: {VANILLA}, endpoints: [{endpoints}, /api], traffic: [{{calls: 1210}}]}}]", "test"
    )
    async with harness(scenario) as b:
        listed = await measure(b, sli="throughput", service=VANILLA, endpoint="/api")
        misspelled = await measure(b, sli="throughput", service=VANILLA, endpoint="/apj/1", maxWait="0")

    assert float(listed.value) > 0, listed.message
    assert "Did you mean /api" in misspelled.message


LAYERS = f"""
services:
  - {{name: {VANILLA}, layer: [K8S_SERVICE, MESH], traffic: [{{calls: 60}}]}}
  - {{name: orders, layer: VIRTUAL_MQ, normal: false, traffic: [{{calls: 60}}]}}
"""


@pytest.mark.parametrize("version", VERSIONS)
async def test_service_in_several_layers_is_found_in_each_and_read_by_its_metrics(
    harness: HarnessFactory, version: str
) -> None:
    async with harness(parse_scenario(LAYERS, "test"), version=version) as b:
        measured = [
            await measure(b, sli="throughput", service=VANILLA, **layer) for layer in ({}, {"layer": "K8S_SERVICE"})
        ]
        unknown = await measure(b, sli="throughput", service=VANILLA, layer="GENERAL", maxWait="0")
        queue = await measure(b, sli="success-rate", service="orders")

    assert [one.value for one in measured] == ["60", "60"]
    assert "OAP knows 'reviews.bookinfo' in K8S_SERVICE, MESH, not in layer GENERAL" in unknown.message
    assert queue.phase is Phase.ERROR
    assert queue.message.startswith("METRIC_UNAVAILABLE services of layer VIRTUAL_MQ have no metrics of calls")
