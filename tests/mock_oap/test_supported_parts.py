"""Parts that the mock supports, as documented; and the rest, which it rejects in its own name instead of OAP's."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skywalking_provider.mock_oap import ManualClock, MockOap, Scenario, ScenarioError
from skywalking_provider.mock_oap.layers import Layer
from skywalking_provider.mock_oap.metric_catalog import METRICS
from skywalking_provider.mock_oap.mqe.grammar import MqeSyntaxError, parse_expression
from skywalking_provider.mock_oap.resolvers import build_root
from skywalking_provider.mock_oap.scenario import (
    ScenarioAlarm,
    ScenarioCaller,
    ScenarioInstance,
    ScenarioService,
    Traffic,
    parse_scenario,
)
from skywalking_provider.mock_oap.unsupported import UNSUPPORTED_QUERIES
from skywalking_provider.mock_oap.versions import OAP_VERSIONS
from skywalking_provider.schema import load_schema
from skywalking_provider.support.key_levels import yaml_keys
from tests.mock_oap.client import CANARY, EXPRESSION_QUERY, evaluate, fetch_buckets, minute_duration, post
from tests.mock_oap.recordings import CAPTURES

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
WINDOW = minute_duration(NOW - timedelta(minutes=11), 3)
DOCUMENT = (Path(__file__).parents[2] / "docs" / "mock-oap.md").read_text()
GATEWAY = "istio-ingressgateway.istio-system"
DATABASE = "mysql-primary.db.svc.cluster.local:3306"

SHOP = parse_scenario(
    f"""
services:
  - name: front
    instances: [{{name: front-0}}, {{name: front-1}}]
    traffic: [{{calls: 5}}]
  - name: shop
    endpoints: [/buy, /pay]
    instances: [{{name: shop-0}}, {{name: shop-1}}]
    traffic: [{{calls: 100, failures: 50}}]
    callers:
      - {{service: front, traffic: [{{calls: 40, failures: 10, latencies: [20]}}]}}
      - {{service: batch, detectedBy: [server], traffic: [{{calls: 8}}]}}
      - {{service: user, normal: false, traffic: [{{calls: 12}}]}}
  - {{name: "{DATABASE}", layer: VIRTUAL_DATABASE, traffic: [{{calls: 30, failures: 3, latencies: [4]}}]}}
  - {{name: "redis:6379", layer: VIRTUAL_CACHE, traffic: [{{calls: 60, latencies: [1]}}]}}
""",
    "shop",
)


def mock(version: str = "10.1.0", scenario: str | Scenario = SHOP) -> MockOap:
    return MockOap(scenario, clock=ManualClock(NOW), version=version)


def document_table(heading: str) -> dict[str, str]:
    """Return the second column of a table by the names in the first one."""
    rows = DOCUMENT.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [row.strip("| ").split(" | ") for row in rows]
    return {name: cell[1] for cell in cells for name in re.findall(r"`([^`]+)`", cell[0])}


# -- what the documentation lists


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("key of the file", Scenario),
        ("key of a service", ScenarioService),
        ("key of an instance", ScenarioInstance),
        ("key of `traffic`", Traffic),
        ("key of a caller", ScenarioCaller),
        ("key of an alarm", ScenarioAlarm),
    ],
)
def test_documentation_lists_every_key_of_a_scenario(heading: str, model: type[Scenario]):
    assert set(document_table(heading)) == set(yaml_keys(model))


def test_documentation_lists_every_query_with_its_versions():
    listed = document_table("query")
    for version, behaviour in OAP_VERSIONS.items():
        schema = load_schema(behaviour.sdl).query_type
        with_resolver = set(build_root(mock().store, behaviour, decimal_comma=False))
        documented = {name for name, versions in listed.items() if versions == "all" or version[:-2] in versions}
        assert documented == with_resolver & set(schema.fields) == set(schema.fields)


def test_documentation_lists_every_metric():
    assert set(document_table("metrics")) == set(METRICS)


FUNCTION_CALLS = {
    "round": "round(service_cpm, 1)",
    "increase": "increase(service_cpm, 1)",
    "rate": "rate(service_cpm, 1)",
    "top_n": "top_n(service_cpm, 1, des)",
    "aggregate_labels": "aggregate_labels(service_percentile, sum)",
    "&&": "1 > 0 && 2 > 1",
    r"\|\|": "1 > 0 || 2 > 1",
    "relabels": "relabels(service_percentile, _='0', _='1')",
}


def test_documentation_lists_the_functions_of_each_version():
    listed = document_table("function of expressions")
    for version in ("9.6.0", "10.1.0", "10.4.0"):
        for name, versions in listed.items():
            call = FUNCTION_CALLS.get(name, f"{name}(service_cpm)")
            if version == "9.6.0":
                call = call.replace(", _='1'", "")
            assert is_function(call, version) == (version[:-2] in versions), (version, name)


def is_function(call: str, version: str) -> bool:
    try:  # a word that is not a function is the name of a metric, which ends the expression
        return type(parse_expression(call, OAP_VERSIONS[version].mqe)).__name__ != "MetricNode"
    except MqeSyntaxError:
        return False


# -- what the mock lacks


@pytest.mark.parametrize(
    ("version", "query", "part"),
    [
        ("10.1.0", "{ readHeatMap(condition: {}, duration: {}) { values { id } } }", "the query readHeatMap"),
        ("9.2.0", "{ a: queryBrowserErrorLogs(condition: {}) { logs { time } } }", "the query queryBrowserErrorLogs"),
        ("10.4.0", "{ queryPprofTaskList(request: {}) { errorReason } }", "the query queryPprofTaskList"),
        ("9.6.0", "{ readRecords(condition: {}, duration: {}) { id } }", "the query readRecords"),
        ("10.1.0", "{ ...a } fragment a on Query { getServiceHierarchy }", "the query getServiceHierarchy"),
        ("10.1.0", "mutation { createProfileTask { id } }", "a mutation"),
        ("10.1.0", '{ execExpression(expression: "1", debug: true) { type } }', "debug"),
        ("10.1.0", '{ execExpression(expression: "1") { debuggingTrace { traceId } } }', "debuggingTrace"),
    ],
)
async def test_unsupported_query_is_rejected_in_the_name_of_the_mock(version: str, query: str, part: str):
    async with mock(version) as oap:
        async with aiohttp.ClientSession() as session, session.post(oap.url, json={"query": query}) as response:
            assert response.status == 400
        content = await post(oap, query)
    (error,) = content["errors"]
    assert error["message"].startswith(f"mock-oap: {part} is not supported by the mock. Use a real OAP")
    assert error["extensions"] == {"classification": "MockOapUnsupported"}


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("10.1.0", "{ readHeatMaps { id } }"),
        ("9.2.0", "{ readRecords(condition: {}, duration: {}) { id } }"),
        ("9.6.0", "{ getServiceHierarchy { id } }"),
        ("9.6.0", "{ execExpression { debuggingTrace { id } } }"),
        ("10.1.0", "{ listLayers { readHeatMap } }"),
        ("10.1.0", "{ execExpression { owner } }"),
        ("10.1.0", "{ getMetricsTTL { minute } }"),
        ("10.4.0", "{ getAlarmTrend { numOfAlarm } }"),
        ("10.4.0", "{ queryAlarms(condition: {}) { msgs { id } } }"),
        ("10.1.0", '{ getInstance(instanceId: "x") { layer } }'),
        ("9.2.0", '{ readMetricsValue(condition: {name: "a"}, duration: {start: "", end: "", step: DAY}) }'),
    ],
)
async def test_query_that_oap_lacks_is_rejected_as_by_oap(version: str, query: str):
    async with mock(version) as oap:
        errors = (await post(oap, query))["errors"]
    assert {error["extensions"]["classification"] for error in errors} == {"ValidationError"}
    assert not any("mock" in error["message"] for error in errors)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("metric", "instance_jvm_cpu"),
        ("metric", "endpoint_relation_cpm"),
        ("metric", "meter_vm_cpu_total_percentage"),
        ("metric", "service_mq_consume_latency"),
        ("metric", "browser_app_pv"),
    ],
)
async def test_unsupported_metric_is_rejected_in_the_name_of_the_mock(part: str, name: str):
    message = f"mock-oap: the {part} {name} is not supported by the mock."
    async with mock() as oap:
        assert (await evaluate(oap, f"avg({name})", WINDOW))["error"].startswith(message)
        for read in (
            f'readMetricsValues(condition: {{name: "{name}", entity: {{}}}}, duration: $d) {{ label }}',
            f'sortMetrics(condition: {{name: "{name}", topN: 1, order: ASC}}, duration: $d) {{ id }}',
            f'typeOfMetrics(name: "{name}")',
        ):
            declared = "($d: Duration!)" if "$d" in read else ""
            (error,) = (await post(oap, f"query{declared} {{ r: {read} }}", d=WINDOW))["errors"]
            assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("version", "call"),
    [
        ("10.1.0", "sort_values(service_cpm, des)"),
        ("10.1.0", "sort_label_values(service_cpm, des, 'a')"),
        ("10.4.0", "top_n_of(top_n(service_cpm, 1, des), 1, des)"),
        ("10.4.0", "baseline(service_cpm, upper)"),
    ],
)
async def test_unsupported_function_is_rejected_in_the_name_of_the_mock(version: str, call: str):
    async with mock(version) as oap:
        error = (await evaluate(oap, call, WINDOW))["error"]
    assert error.startswith(f"mock-oap: the function {call.partition('(')[0]} is not supported by the mock.")


async def test_metric_that_no_oap_has_is_unknown_as_in_oap():
    async with mock() as oap:
        assert (await evaluate(oap, "service_cpms", WINDOW))["error"] == "Metric: [service_cpms] does not exist."


def test_unsupported_queries_are_not_in_the_schema_of_the_mock():
    assert set(UNSUPPORTED_QUERIES) == set(OAP_VERSIONS)
    for version, names in UNSUPPORTED_QUERIES.items():
        assert names.isdisjoint(load_schema(OAP_VERSIONS[version].sdl).query_type.fields)


# -- metrics that the recorded OAPs lack


def test_list_metrics_begins_with_the_recorded_ones():
    recorded = json.loads((CAPTURES / "10.1.0" / "list-metrics.json").read_text())["data"]["listMetrics"]
    services = [metric for metric in METRICS.values() if metric.name.startswith("service_")]
    assert recorded == [
        {"name": one.name, "type": one.type, "catalog": one.catalog} for one in services[: len(recorded)]
    ]


SORT = """query($c: TopNCondition!, $d: Duration!) {
  r: sortMetrics(condition: $c, duration: $d) { name id value refId } }"""


async def sort(oap: MockOap, **condition: Any) -> list[tuple[str, str]]:
    response = await post(oap, SORT, c={"topN": 5, "order": "DES", **condition}, d=WINDOW)
    return [(one["name"], one["value"]) for one in response["data"]["r"]]


@pytest.mark.parametrize("version", OAP_VERSIONS)
async def test_sort_metrics_ranks_services_instances_and_endpoints(version: str):
    async with mock(version) as oap:
        assert await sort(oap, name="service_cpm", scope="Service") == [("shop", "100"), ("front", "5")]
        below = {"parentService": "shop", "normal": True}
        instances = await sort(oap, name="service_instance_sla", scope="ServiceInstance", **below)
        assert instances == [("shop-0", "10000"), ("shop-1", "0")]
        endpoint = {"name": "endpoint_sla", "scope": "Endpoint", "order": "ASC", "topN": 1}
        assert await sort(oap, **endpoint, **below) == [("/pay", "0")]
        assert await sort(oap, **endpoint) == [("shop - /pay", "0")]
        assert await sort(oap, **endpoint, parentService="shop") == []  # `normal` is false if it is missing
        assert await sort(oap, name="service_cpm", scope="Service", **below) == []
        assert await sort(oap, name="service_cpms", scope="Service") == []


async def test_sort_metrics_record_has_the_id_of_the_entity_and_no_trace():
    async with mock() as oap:
        response = await post(oap, SORT, c={"topN": 1, "order": "DES", "name": "service_cpm"}, d=WINDOW)
    assert response["data"]["r"] == [{"name": "shop", "id": "c2hvcA==.1", "value": "100", "refId": None}]


@pytest.mark.parametrize(
    ("metric", "source", "values"),
    [
        ("service_relation_server_cpm", {"serviceName": "front"}, [40, 40, 40]),
        ("service_relation_client_call_sla", {"serviceName": "front"}, [7500, 7500, 7500]),
        ("service_relation_client_resp_time", {"serviceName": "front"}, [20, 20, 20]),
        ("service_relation_server_cpm", {"serviceName": "batch"}, [8, 8, 8]),
        ("service_relation_client_cpm", {"serviceName": "batch"}, [None, None, None]),
        ("service_relation_client_cpm", {"serviceName": "user", "normal": False}, [12, 12, 12]),
        ("service_relation_client_cpm", {"serviceName": "user"}, [None, None, None]),
        ("service_relation_client_cpm", {"serviceName": "front", "destNormal": False}, [None, None, None]),
        ("service_relation_client_cpm", {"serviceName": "front", "destServiceName": None}, [None, None, None]),
        (
            "service_instance_relation_server_cpm",
            {"serviceName": "front", "serviceInstanceName": "front-1", "destServiceInstanceName": "shop-0"},
            [10, 10, 10],
        ),
        (
            "service_instance_relation_server_cpm",
            {"serviceName": "batch", "serviceInstanceName": "batch-0", "destServiceInstanceName": "shop-0"},
            [None, None, None],
        ),
    ],
)
async def test_relation_metrics_count_the_calls_of_the_caller(metric: str, source: dict, values: list[int | None]):
    async with mock() as oap:
        dest = {"destServiceName": "shop", "destNormal": True}
        assert await fetch_buckets(oap, metric, WINDOW, **{"service": "", **dest, **rename(source)}) == values


def rename(source: dict[str, Any]) -> dict[str, Any]:
    return {"service" if key == "serviceName" else key: value for key, value in source.items()}


async def test_relation_value_has_the_ids_of_both_services():
    entity = {"serviceName": "front", "normal": True, "destServiceName": "shop", "destNormal": True}
    query = """query($c: MetricsCondition!, $d: Duration!) {
      r: readMetricsValues(condition: $c, duration: $d) { values { values { id } } } }"""
    async with mock() as oap:
        condition = {"name": "service_relation_client_cpm", "entity": entity}
        response = await post(oap, query, c=condition, d=minute_duration(NOW, 1))
        (value,) = response["data"]["r"]["values"]["values"]
        assert value["id"] == "service_relation_client_cpm_202611231200_ZnJvbnQ=.1-c2hvcA==.1"
        expression = await post(oap, EXPRESSION_QUERY, x="avg(service_relation_server_percentile)", e=entity, d=WINDOW)
    assert [row["values"][0]["value"] for row in expression["data"]["r"]["results"]] == ["20"] * 5


@pytest.mark.parametrize("scenario", ["healthy-canary", "slow-canary", "failing-canary"])
async def test_shipped_scenario_has_the_calls_of_the_gateway(scenario: str):
    async with mock(scenario=scenario) as oap:
        relation = {"service": GATEWAY, "destServiceName": CANARY, "destNormal": True}
        sla = await fetch_buckets(oap, "service_relation_server_call_sla", WINDOW, **relation)
        assert sla == await fetch_buckets(oap, "service_sla", WINDOW)


async def test_database_metrics_belong_to_virtual_databases_which_are_not_normal():
    async with mock() as oap:
        services = (await post(oap, "{ r: listServices { name normal } }"))["data"]["r"]
        assert {one["name"]: one["normal"] for one in services} == {
            "front": True,
            "shop": True,
            DATABASE: False,
            "redis:6379": False,
        }
        for name, metric, values in (
            (DATABASE, "database_access_cpm", [30, 30, 30]),
            (DATABASE, "database_access_sla", [9000, 9000, 9000]),
            (DATABASE, "database_access_resp_time", [4, 4, 4]),
            (DATABASE, "service_cpm", [None, None, None]),
            (DATABASE, "cache_access_cpm", [None, None, None]),
            ("redis:6379", "cache_access_cpm", [60, 60, 60]),
        ):
            assert await fetch_buckets(oap, metric, WINDOW, name, normal=False) == values, metric
        assert await fetch_buckets(oap, "database_access_cpm", WINDOW, "shop") == [None, None, None]


@pytest.mark.parametrize("layer", ["MESHH", "virtual_database", "K8S-SERVICE", "[MESH, MESSH]"])
def test_parse_scenario_unknown_layer_is_rejected_with_the_known_ones(layer: str):
    with pytest.raises(ScenarioError) as raised:
        parse_scenario(f"services: [{{name: a, layer: {layer}}}]", "own")
    written = layer.strip("[]").split(", ")[-1]
    known = ", ".join(Layer)
    assert f"'{written}' is not a layer of OAP. Write one of {known}." in str(raised.value)


@pytest.mark.parametrize(
    ("layer", "normal"),
    [("MESH", True), ("VIRTUAL_MQ", False), ("[VIRTUAL_CACHE]", False), ("[GENERAL, VIRTUAL_GATEWAY]", True)],
)
def test_parse_scenario_virtual_layer_is_not_normal_by_default(layer: str, *, normal: bool):
    (service,) = parse_scenario(f"services: [{{name: a, layer: {layer}}}]", "own").services
    assert service.normal is normal
    (service,) = parse_scenario(f"services: [{{name: a, layer: {layer}, normal: {not normal}}}]", "own").services
    assert service.normal is not normal
