"""Diagnosis of missing data: OAP returns empty series for much that it does not understand."""

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from skywalking_provider.mock_oap.scenario import Scenario, ScenarioInstance, ScenarioService, Traffic
from skywalking_provider.model import Deadline, Measurement, Metric, Phase
from skywalking_provider.queries.diagnosis import suggest_metrics
from tests.analysis.harness import (
    CANARY,
    NOON,
    RUN,
    VANILLA,
    VERSIONS,
    Harness,
    HarnessFactory,
    build_metric,
    reference_query,
)


async def measure_entity(b: Harness, **block: Any) -> Measurement:
    content = json.dumps({"window": "3m", "service": VANILLA, "maxWait": "0"} | block).encode()
    return await b.engine.run(Metric("m", "true", "", content), RUN, Deadline.after(10))


def labeled(labels: str) -> str:
    return f"""query q($duration: Duration!) {{
      p: readLabeledMetricsValues(condition: {{name: "service_percentile", entity: {{scope: Service,
        serviceName: "{CANARY}", normal: true}}}}, labels: {labels}, duration: $duration) {{
          label values {{ values {{ value }} }} }}
    }}"""


def expression(text: str, entity: str) -> str:
    return f"""query q($duration: Duration!) {{
      e: execExpression(expression: "{text}", entity: {{{entity}}}, duration: $duration) {{
        results {{ values {{ value }} }} }}
    }}"""


LIKELY_CAUSES = [
    (reference_query("canary|review|bookinfo|cluster-1|-"), "9.6.0", f"Did you mean {CANARY}?"),
    (
        reference_query().replace("normal: true", "normal: false"),
        "10.1.0",
        f"service_apdex: OAP knows '{CANARY}' with normal: true",
    ),
]


@pytest.mark.parametrize(("query", "version", "expected"), LIKELY_CAUSES)
async def test_no_data_with_a_likely_cause_names_the_cause(
    harness: HarnessFactory, query: str, version: str, expected: str
) -> None:
    async with harness(version=version) as b:
        measurement = await b.run("true", query=query, maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("NO_DATA ")
    assert expected in measurement.message


PERMANENT_CAUSES = [
    (
        reference_query(metric="service_apdx"),
        "QUERY_INVALID service_apdx: OAP has no metric 'service_apdx'. Did you mean service_apdex?",
    ),
    (
        reference_query().replace(", normal: true", ""),
        "QUERY_INVALID service_apdex: entity lacks `normal`, so OAP finds no entity. Set normal: true",
    ),
    (
        reference_query(metric="service_instance_sla"),
        "QUERY_INVALID service_instance_sla: entity lacks `serviceInstanceName`, which",
    ),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("query", "expected"), PERMANENT_CAUSES)
async def test_empty_read_with_a_permanent_cause_is_an_error_at_once(
    harness: HarnessFactory, query: str, expected: str, version: str
) -> None:
    async with harness(version=version) as b:
        measurement = await b.run("true", query=query)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith(expected)


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_empty_expression_in_a_query_is_diagnosed(harness: HarnessFactory, version: str) -> None:
    async with harness(version=version) as b:
        normal = await b.run("true", query=expression("avg(service_cpm)", f'serviceName: "{CANARY}"'))
        scope = await b.run("true", query=expression("service_instance_cpm", f'serviceName: "{CANARY}", normal: true'))

    assert normal.message.startswith("QUERY_INVALID e: entity lacks `normal`")
    assert scope.message.startswith("QUERY_INVALID e: entity lacks `serviceInstanceName`, which")


RANKING = "top_n(service_instance_cpm,3,des)"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (RANKING, "9.6.0"),
        (RANKING, "10.1.0"),
        ("aggregate_labels(service_percentile,sum(instance_id))", "10.1.0"),  # older ones take no labels there
        ("relabels(service_percentile{p='99'},p='99',quantile_of='worst')", "10.1.0"),
    ],
)
async def test_empty_expression_without_a_permanent_cause_waits_for_data(
    harness: HarnessFactory, text: str, version: str
) -> None:
    """A canary's first minute: a ranking needs no instance, and a label is not an unknown metric."""
    async with harness(version=version) as b:
        measurement = await b.run("true", query=expression(text, 'serviceName: "not-yet-there", normal: true'))

    assert measurement.phase is Phase.RUNNING, measurement.message
    assert measurement.message.startswith("NO_DATA no value of e in 3 buckets")


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_ranking_without_calls_waits_and_then_has_a_result(harness: HarnessFactory, version: str) -> None:
    canary = ScenarioService(
        name=VANILLA, instances=(ScenarioInstance(name="a"),), traffic=(Traffic(calls=60, **{"from": 0}),)
    )
    async with harness(Scenario(services=(canary,)), version=version) as b:
        early = await measure_entity(b, expression=RANKING, maxWait="5m")
        b.clock.set(NOON + timedelta(minutes=3))
        later = await measure_entity(b, expression=RANKING, maxWait="5m")

    assert early.phase is Phase.RUNNING, early.message
    assert json.loads(later.value) == [{"name": "a", "value": 60}]


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_expression_with_a_metric_of_another_scope_is_query_invalid(
    harness: HarnessFactory, version: str
) -> None:
    async with harness(version=version) as b:
        measurement = await measure_entity(b, expression="avg(service_instance_sla)")

    assert measurement.message == (
        "QUERY_INVALID avg(service_instance_sla): service_instance_sla has the scope SERVICE_INSTANCE, but"
        " the block selects SERVICE. Did you mean service_sla?"
    )


@pytest.mark.parametrize("chosen", [{"instances": {"name": "reviews-.*"}}, {"endpoint": "POST:/reviews"}])
async def test_expression_with_service_metrics_only_is_rejected_for_instances_and_endpoints(
    harness: HarnessFactory, chosen: dict[str, Any]
) -> None:
    """OAP returns a metric of the service for every instance and endpoint."""
    async with harness("failing-canary") as b:
        whole = await measure_entity(b, expression="avg(service_sla)", **chosen)
        own = "service_instance_cpm" if "instances" in chosen else "endpoint_cpm"
        share = await measure_entity(b, expression=f"sum({own}) / sum(service_cpm)", **chosen)

    assert whole.message.startswith("QUERY_INVALID avg(service_sla): service_sla has the scope SERVICE, ")
    assert share.phase is Phase.SUCCESSFUL, share.message


async def test_measurement_with_data_requests_no_lists(harness: HarnessFactory) -> None:
    async with harness() as b:
        await b.run("true", query=reference_query())

        assert not any("listMetrics" in one.body or "listServices" in one.body for one in b.oap.requests)


@pytest.mark.parametrize("status", [403, 503])
async def test_diagnosis_without_the_lists_of_the_oap_reports_no_data(harness: HarnessFactory, status: int) -> None:
    async with harness() as b:
        b.oap.add_fault("status", status=status, match="list")
        measurement = await b.engine.run(
            build_metric("true", query=reference_query("unknown-service"), maxWait="0"), RUN, Deadline.after(10)
        )

    assert measurement.message.startswith("NO_DATA no value of service_apdex in 3 buckets · 11:56–11:59 +0000")


def test_expression_of_unknown_metrics_has_hints_for_the_first_ones_only() -> None:
    names: list[str] = []

    def suggest(name: str, known: Collection[str], noun: str = "names") -> str:
        names.append(name)
        return f"{name} of {len(known)} {noun}."

    hint = suggest_metrics(" + ".join(f"service_cp_{at} + service_cp_0" for at in range(300)), {"service_cpm"}, suggest)

    assert names == ["service_cp_0", "service_cp_1", "service_cp_2"]
    assert hint.endswith("service_cp_2 of 1 metrics. 297 more names are unknown.")
