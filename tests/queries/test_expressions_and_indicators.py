"""Results of indicators and expressions on every OAP version."""

import json
from typing import Any

import pytest

from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Phase
from tests.analysis.harness import CANARY, HASH, VANILLA, VERSIONS, HarnessFactory, measure


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("block", "value"),
    [
        ({"sli": "success-rate", "service": CANARY}, 0.9),
        ({"sli": "success-rate", "service": VANILLA}, 0.98),
        ({"sli": "success-rate", "service": VANILLA, "instances": {"podTemplateHash": HASH}}, 0.9),
        ({"sli": "success-rate", "service": VANILLA, "instances": {"name": "reviews-7d4f9c8b65-.*"}}, 1),
        ({"sli": "latency", "service": VANILLA, "percentile": 99}, 1200),
        ({"sli": "latency", "service": VANILLA, "instances": {"podTemplateHash": HASH}}, 350),
        ({"sli": "throughput", "service": VANILLA}, 300),
        ({"sli": "throughput", "service": VANILLA, "endpoint": "POST:/reviews"}, 150),
        ({"sli": "success-rate", "service": {"name": "reviews", "namespace": "bookinfo"}, "layer": "mesh"}, 0.98),
    ],
    ids=lambda case: "-".join(str(part) for part in case.values())[:50] if isinstance(case, dict) else "",
)
async def test_indicator_is_one_number_on_every_oap_version(
    harness: HarnessFactory, version: str, block: dict[str, Any], value: float
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurement = await measure(b, **block)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert float(measurement.value) == pytest.approx(value)


@pytest.mark.parametrize("version", VERSIONS)
async def test_canary_instances_of_a_shared_service_are_measured_alone(harness: HarnessFactory, version: str) -> None:
    async with harness("failing-canary", version=version) as b:
        canary = await measure(
            b, "result >= 0.99", sli="success-rate", service=VANILLA, instances={"podTemplateHash": HASH}
        )
        stable = await measure(
            b, "result >= 0.99", sli="success-rate", service=VANILLA, instances={"podTemplateHash": "7d4f9c8b65"}
        )

    assert stable.phase is Phase.SUCCESSFUL
    assert canary.phase is Phase.FAILED
    assert canary.message == (
        'CONDITION_NOT_MET success-rate 0.9, wanted "result >= 0.99" · 300 calls in 5 buckets'
        f" · 1 instance of {HASH} · 11:54–11:59 +0000 · backend prod"
        " · service-wide mostly POST:/reviews: 30 of 30 failures"
    )


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
@pytest.mark.parametrize(
    ("block", "result"),
    [
        ({"expression": "avg(service_sla)", "scale": 10000}, 0.98),
        ({"expression": "service_cpm"}, [300] * 5),
        ({"expression": "service_cpm", "scale": 100}, [3] * 5),
        (
            {"expression": "service_instance_cpm", "instances": {"podTemplateHash": "7d4f9c8b65"}},
            {"reviews-7d4f9c8b65-2xkqz": [120] * 5, "reviews-7d4f9c8b65-h6pnw": [120] * 5},
        ),
        ({"expression": "endpoint_cpm", "endpoint": "POST:/reviews"}, [150] * 5),
        (
            {"expression": "top_n(service_instance_cpm,2,des)"},
            [{"name": "reviews-7d4f9c8b65-2xkqz", "value": 120}, {"name": "reviews-7d4f9c8b65-h6pnw", "value": 120}],
        ),
    ],
    ids=lambda case: str(case.get("expression")) if isinstance(case, dict) else "",
)
async def test_expression_of_each_type_has_the_documented_result(
    harness: HarnessFactory, version: str, block: dict[str, Any], result: object
) -> None:
    async with harness("failing-canary", version=version) as b:
        measurement = await measure(b, service=VANILLA, **block)

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert json.loads(measurement.value) == result


async def test_labeled_expression_is_a_map_with_the_same_percentile_labels_on_every_oap_version(
    harness: HarnessFactory,
) -> None:
    for version in ("9.6.0", "10.1.0"):
        async with harness("failing-canary", version=version) as b:
            measurement = await measure(b, service=VANILLA, expression="service_percentile")

        assert list(json.loads(measurement.value)) == ["50", "75", "90", "95", "99"]


async def test_expression_on_an_oap_before_9_5_is_query_invalid(harness: HarnessFactory) -> None:
    async with harness(version="9.2.0") as b:
        measurement = await measure(b, service=VANILLA, expression="service_cpm")

    assert measurement.phase is Phase.ERROR
    assert "OAP before 9.5" in measurement.message


async def test_absent_buckets_are_left_out_of_the_result(harness: HarnessFactory) -> None:
    async with harness("idle-minutes") as b:
        cpm = await measure(b, service=CANARY, expression="service_cpm", since="window")
        apdex = await measure(b, service=CANARY, expression="service_apdex", since="window")

    assert len(json.loads(cpm.value)) == len(json.loads(apdex.value)) < 5
    assert 0 not in json.loads(apdex.value)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"expression": "service_cmp"}, "service_cmp: Metric: [service_cmp] does not exist. Did you mean service_cpm"),
        ({"expression": "service_cpm / 0"}, "OAP_RESPONSE_INVALID service_cpm / 0: OAP returned '∞'"),
        ({"expression": "0 / 0 * service_cpm"}, "which is not a number"),
        (
            {"sli": "apdex", "instances": {"podTemplateHash": HASH}},
            "Add `service_instance_apdex = from(ServiceInstance.latency).apdex(serviceName, status);`",
        ),
        (
            {"sli": "latency", "percentile": 99, "instances": {"podTemplateHash": HASH}},
            "`service_instance_percentile = from(ServiceInstance.latency).percentile2(10);`",
        ),
        ({"sli": "apdex", "endpoint": "POST:/reviews"}, "OAP has no apdex at the scope Endpoint"),
    ],
    ids=lambda case: str(next(iter(case.values()))) if isinstance(case, dict) else "",
)
async def test_request_that_oap_cannot_compute_is_an_error_with_a_hint(
    harness: HarnessFactory, block: dict[str, Any], expected: str
) -> None:
    async with harness() as b:
        measurement = await measure(b, service=VANILLA, **block)

    assert measurement.phase is Phase.ERROR
    assert expected in measurement.message


async def test_number_with_a_decimal_comma_is_an_error(harness: HarnessFactory) -> None:
    async with harness(decimal_comma=True) as b:
        measurement = await measure(b, service=VANILLA, expression="avg(service_cpm) / 7")

    assert measurement.phase is Phase.ERROR
    assert "-Duser.language=en" in measurement.message


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        ("result >= 0.99", "", Phase.FAILED),
        ("result >= 0.5", "", Phase.SUCCESSFUL),
        ("", "result < 0.95", Phase.FAILED),
        ("result > 1", "result < 0", Phase.INCONCLUSIVE),
        ("result >", "", Phase.ERROR),
        ("nope > 1", "", Phase.ERROR),
    ],
)
async def test_block_with_cel_conditions_is_evaluated_by_cel(
    harness: HarnessFactory, success: str, failure: str, phase: Phase
) -> None:
    conditions = {"language": "cel", "success": success, "failure": failure}
    async with harness("failing-canary") as b:
        measurement = await measure(b, "", sli="success-rate", service=CANARY, conditions=conditions)

    assert measurement.phase is phase, measurement.message
    assert measurement.value == ("" if phase is Phase.ERROR else "0.9")


async def test_conditions_in_two_languages_are_an_error(harness: HarnessFactory) -> None:
    async with harness() as b:
        measurement = await measure(
            b, "true", sli="success-rate", service=CANARY, conditions={"language": "cel", "success": "true"}
        )

    assert measurement.phase is Phase.ERROR
    assert "conditions: the metric has a successCondition" in measurement.message


async def test_success_rate_with_rounded_ratios_reports_both_bounds(harness: HarnessFactory) -> None:
    """30,000 calls a minute, one in 1,250 fails: OAP's 9992 may be 29,976 to 29,978 successes."""
    scenario = parse_scenario(f'services: [{{name: "{CANARY}", traffic: [{{calls: 30000, failures: 24}}]}}]', "test")
    async with harness(scenario) as b:
        measurement = await measure(b, "result > 0.9992", sli="success-rate", service=CANARY, window="1m")

    assert measurement.phase is Phase.FAILED
    assert measurement.message.startswith(
        'CONDITION_NOT_MET success-rate 0.9992 (at most 0.999267), wanted "result > 0.9992" · 30 000 calls'
        " in 1 bucket · 11:58–11:59 +0000"
    )
