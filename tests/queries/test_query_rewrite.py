"""Rewriting of the author's queries: a minute without data is not a zero, whatever the selection."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import parse, print_ast

from skywalking_provider.block import GraphqlSpec
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Phase, Window
from skywalking_provider.queries.graphql.query import decode_graphql, rewritten_query
from skywalking_provider.queries.graphql.rewrite import add_presence_reads
from tests.analysis.harness import (
    CANARY,
    REFERENCE_CONDITION,
    RUN,
    VERSIONS,
    HarnessFactory,
    build_metric,
    reference_query,
)

# The window at 12:00:20 has three minutes; the middle one (-3) has no calls.
IDLE = parse_scenario(f'{{services: [{{name: "{CANARY}", traffic: [{{calls: 60, idleMinutes: [-3]}}]}}]}}', "test")
WITHOUT_DATA = parse_scenario(f'{{services: [{{name: "{CANARY}", traffic: [{{until: -30, calls: 60}}]}}]}}', "test")

SINGLE = f"""query q($duration: Duration!) {{
  apdex: readMetricsValue(condition: {{name: "service_apdex", entity: {{scope: Service, serviceName: "{CANARY}",
    normal: true}}}}, duration: $duration)
}}"""
FRAGMENTS = f"""query q($duration: Duration!) {{
  service_apdex: readMetricsValues(condition: {{name: "service_apdex", entity: {{scope: Service,
    serviceName: "{CANARY}", normal: true}}}}, duration: $duration) {{ ...series }}
}}
fragment series on MetricsValues {{ values {{ values {{ ...bucket }} }} }}
fragment bucket on KVInt {{ value }}"""


def values(value: str, name: str = "service_apdex") -> Any:
    return json.loads(value)[name]["values"]["values"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_idle_minute_is_absent_from_the_result(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run()

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert values(measurement.value) == [{"value": 10000}] * 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_absent_zero_keeps_the_zeros_of_idle_minutes(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        zeros = await b.run(absent="zero")
        without_data = await b.run(absent="zero", query=reference_query("unknown-service"), maxWait="0")

    assert values(zeros.value) == [{"value": 10000}, {"value": 0}, {"value": 10000}]
    assert zeros.phase is Phase.FAILED
    assert without_data.phase is Phase.INCONCLUSIVE  # `absent` does not affect missing data


@pytest.mark.parametrize("version", VERSIONS)
async def test_idle_minute_of_a_calls_metric_is_zero(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run("true", query=reference_query(metric="service_cpm"))

    assert values(measurement.value, "service_cpm") == [{"value": 60}, {"value": 0}, {"value": 60}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "query", [reference_query(), SINGLE, reference_query(fields="v: value")], ids=["values", "value", "alias"]
)
async def test_service_without_data_is_no_data_without_evaluation(
    harness: HarnessFactory, version: str, query: str
) -> None:
    async with harness(WITHOUT_DATA, version=version) as b:
        measurement = await b.run("false", query=query, maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("NO_DATA ")


@pytest.mark.parametrize("version", VERSIONS)
async def test_single_value_stays_a_number_in_the_result(harness: HarnessFactory, version: str) -> None:
    async with harness(version=version) as b:
        measurement = await b.run("result.apdex >= 9900", query=SINGLE)

    assert (measurement.phase, measurement.value) == (Phase.SUCCESSFUL, '{"apdex":10000}')


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_selection_in_fragments_loses_absent_buckets(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run(query=FRAGMENTS)

    assert values(measurement.value) == [{"value": 10000}] * 2


async def test_presence_field_in_the_authors_selection_stays_in_the_result(harness: HarnessFactory) -> None:
    async with harness(IDLE) as b:
        measurement = await b.run(query=reference_query(fields="value isEmptyValue"))

    assert values(measurement.value) == [{"value": 10000, "isEmptyValue": False}] * 2


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("query q($duration: Duration!) { ...all } fragment all on Query { version }", "fragment at the root"),
        ("query q($duration: Duration!) { ... @include(if: true) { version } }", "fragment at the root"),
        ("query q($duration: Duration!) { swp_present_a: version }", "begins with swp_"),
        (
            """query q($duration: Duration!) { r: execExpression(expression: "x", entity: {serviceName: "x"},
              duration: $duration) { rs: results { values { value } } } }""",
            "r: absent values cannot be detected in this selection",
        ),
    ],
)
async def test_query_that_hides_absent_buckets_is_rejected_with_a_hint(
    harness: HarnessFactory, query: str, expected: str
) -> None:
    async with harness(IDLE) as b:
        measurement = await b.run("true", query=query)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("QUERY_INVALID query: ")
    assert expected in measurement.message


SELECTIONS = [
    "values { values { value } }",
    "label values { values { id value } }",
    "values { values { v: value } }",
    "vs: values { xs: values { v: value } }",
    "values { ... { values { value } } }",
    "values { values { ... @include(if: true) { value } } }",
    "values { values { value empty: isEmptyValue } }",
    "values { values { value isEmptyValue @skip(if: true) } }",
    "...series",
]
FRAGMENT = "fragment series on MetricsValues { values { values { value isEmptyValue } } }"


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_query_in_any_spelling_detects_missing_data_and_absent_buckets(
    harness: HarnessFactory, version: str, selection: str
) -> None:
    body = reference_query().split("label values")[0] + selection + " } }"
    query = f"{body} {FRAGMENT}" if "...series" in selection else body
    async with harness(WITHOUT_DATA, version=version) as b:
        without_data = await b.run("true", query=query, maxWait="0")
    async with harness(IDLE, version=version) as b:
        idle = await b.run("true", query=query)

    assert without_data.message.startswith("NO_DATA "), without_data
    assert idle.phase is Phase.SUCCESSFUL, idle
    assert idle.value.count("10000") == 2
    assert ":0" not in idle.value


@pytest.mark.parametrize("version", VERSIONS)
def test_minutes_of_another_window_are_rejected_in_reads_of_the_duration(version: str) -> None:
    block = {"interval": "3m", "query": reference_query()}
    spec = GraphqlSpec.model_validate(block)
    query = rewritten_query(spec, nullable=version != "9.2.0")
    minutes = [f"service_apdex_20261124110{at}_Y2Fu.1" for at in range(3)]
    buckets = [{"id": one, "value": 1, "isEmptyValue": False} for one in minutes]
    values = {"label": None, "values": {"values": buckets}}
    data = dict.fromkeys(("service_apdex", *query.added_aliases), values)
    start = datetime(2026, 11, 24, 11, tzinfo=UTC)

    decode_graphql(spec, query, Window(start, start + timedelta(minutes=3)), data)

    late = Window(start + timedelta(hours=1), start + timedelta(minutes=63))
    with pytest.raises(ProviderError, match="swp_present_service_apdex has the bucket 'service_apdex_202611241100"):
        decode_graphql(spec, query, late, data)


async def test_metric_that_is_not_based_on_calls_gets_no_calls_read() -> None:
    query = """query q($duration: Duration!) {
      jvm: readMetricsValues(condition: {name: "service_instance_jvm_cpu", entity: {scope: ServiceInstance,
        serviceName: "x", serviceInstanceName: "y", normal: true}}, duration: $duration) { values { values { value } } }
    }"""

    assert "swp_calls_" not in add_presence_reads(query, nullable=False).text
    assert "swp_calls_" in add_presence_reads(query.replace("jvm_cpu", "resp_time"), nullable=False).text


async def test_error_of_an_expression_is_selected_and_absent_from_the_result(harness: HarnessFactory) -> None:
    def query(expression: str) -> str:
        return f"""query q($duration: Duration!) {{
          r: execExpression(expression: "{expression}", entity: {{serviceName: "{CANARY}", normal: true}},
            duration: $duration) {{ results {{ values {{ id value }} }} }}
        }}"""

    async with harness() as b:
        unknown = await b.run("true", query=query("service_cmp"))
        right = await b.run("true", query=query("service_cpm"))

    assert unknown.phase is Phase.ERROR
    assert "does not exist" in unknown.message
    assert list(json.loads(right.value)["r"]) == ["results"]


async def test_absent_values_of_an_expression_are_left_out_of_the_result(harness: HarnessFactory) -> None:
    query = f"""query q($duration: Duration!) {{
      r: execExpression(expression: "service_apdex", entity: {{serviceName: "{CANARY}", normal: true}},
        duration: $duration) {{ type error results {{ values {{ id value }} }} }}
    }}"""
    async with harness(IDLE) as b:
        measurement = await b.run("len(result.r.results[0].values) == 2", query=query)

    assert measurement.phase is Phase.SUCCESSFUL


async def test_compatibility_argo_sends_no_presence_reads(harness: HarnessFactory) -> None:
    async with harness(IDLE) as b:
        await b.run(REFERENCE_CONDITION, compatibility="argo")

        assert "isEmptyValue" not in b.oap.requests[-1].body


async def test_metadata_of_a_query_shows_the_added_reads(harness: HarnessFactory) -> None:
    async with harness() as b:
        metadata = b.engine.metadata(build_metric(REFERENCE_CONDITION))
        as_written = b.engine.metadata(build_metric(REFERENCE_CONDITION, compatibility="argo"))

    assert "isEmptyValue" in metadata["ResolvedSkyWalkingQuery"]
    assert as_written["ResolvedSkyWalkingQuery"].split() == reference_query().split()
    assert as_written["window"].startswith("3m up to now")


async def test_metadata_of_an_indicator_names_metrics_and_selector_without_a_request(harness: HarnessFactory) -> None:
    block = {"sli": "success-rate", "window": "5m", "service": "reviews.bookinfo"}
    block["instances"] = {"podTemplateHash": "6c85f7bf4"}
    async with harness() as b:
        metadata = b.engine.metadata(replace(build_metric(""), block=json.dumps(block).encode()))

        assert b.oap.requests == []
    assert metadata == {
        "backend": "prod",
        "sli": "success-rate",
        "metrics": "service_instance_sla, service_instance_cpm",
        "service": "reviews.bookinfo",
        "instances": "6c85f7bf4",
        "window": "5m",
    }


def test_query_without_metric_reads_is_sent_verbatim() -> None:
    query = "query q($duration: Duration!) {\n  getTimeInfo {\n    timezone\n  }\n}"

    assert add_presence_reads(query, nullable=True).text == add_presence_reads(query, nullable=False).text == query


@pytest.mark.parametrize("version", VERSIONS)
async def test_labeled_read_loses_absent_buckets(harness: HarnessFactory, version: str) -> None:
    labels = '["0", "1"]' if version == "9.2.0" else "[]"
    query = f"""query q($duration: Duration!) {{
      p: readLabeledMetricsValues(condition: {{name: "service_percentile", entity: {{scope: Service,
        serviceName: "{CANARY}", normal: true}}}}, labels: {labels}, duration: $duration) {{
          label values {{ values {{ value }} }} }}
    }}"""
    async with harness(IDLE, version=version) as b:
        measurement = await b.engine.run(build_metric("true", query=query), RUN, Deadline.after(10))

    assert all(len(one["values"]["values"]) == 2 for one in json.loads(measurement.value)["p"])


@pytest.mark.parametrize("nullable", [True, False])
def test_rewritten_query_contains_the_authors_text_verbatim(nullable: bool) -> None:
    above = """# ours since 2024
query q($duration: Duration!, $on: Boolean = true) {
  r: execExpression(expression: "service_cpm", entity: {serviceName: "a", normal: true}, duration: $duration) {
    results { values { value } } # }
  """
    below = """}
  sla: readMetricsValues(
    condition: {name: "service_sla" # in parts of ten thousand
      entity: {scope: Service, serviceName: "a } { b", normal: true}},
    duration: $duration) @include(if: $on) { values { values { value } } } # the end of it }
"""
    after = """} # and of all
fragment unused on KVInt { value }
"""

    rewritten = add_presence_reads(above + below + after, nullable=nullable).text

    assert rewritten.startswith(f"{above} error {below}  swp_")  # OAP's errors name the author's lines
    assert rewritten.endswith(f"\n{after}")
    assert print_ast(parse(rewritten)).count("@include(if: $on)") == (2 if nullable else 3)


def test_query_nested_too_deeply_is_rejected() -> None:
    spread = "".join(f"fragment f{at} on Any {{ {'... {' * 20} ...f{at + 1} {'}' * 20} }}" for at in range(55))
    query = f"""query q($duration: Duration!) {{
      sla: readMetricsValues(condition: {{name: "service_sla"}}, duration: $duration) {{ ...f0 }}
    }} {spread} fragment f55 on Any {{ values {{ values {{ value }} }} }}"""

    with pytest.raises(ProviderError, match="query: nested too deeply"):
        add_presence_reads(query, nullable=True)


@pytest.mark.parametrize(("reads", "aliases"), [(1, 400), (150, 15)])
def test_query_whose_fragments_expand_beyond_the_field_limit_is_rejected(reads: int, aliases: int) -> None:
    spread = " ".join(f"a{at}: values {{ ...all }}" for at in range(aliases))
    read = 'readMetricsValues(condition: {name: "service_sla"}, duration: $duration) { ...all }'
    query = f"""query q($duration: Duration!) {{ {" ".join(f"r{at}: {read}" for at in range(reads))} }}
    fragment all on Any {{ {spread} ...all }}"""

    with pytest.raises(ProviderError, match="more than 3000 fields") as caught:
        add_presence_reads(query, nullable=True)

    assert caught.value.reason is Reason.QUERY_INVALID


def test_query_with_cyclic_fragments_is_rejected_by_the_selection_limit() -> None:
    cycles = " ".join("...w" for _ in range(1200))
    fields = " ".join(f"a{at}: values {{ ...w }}" for at in range(200))
    query = f"""query q($duration: Duration!) {{
      sla: readMetricsValues(condition: {{name: "service_sla"}}, duration: $duration) {{ {fields} }}
    }}
    fragment w on W {{ {cycles} }}"""

    with pytest.raises(ProviderError, match="more than 20000 selections"):
        add_presence_reads(query, nullable=True)
