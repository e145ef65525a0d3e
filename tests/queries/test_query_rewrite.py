"""Form A, healed: a minute without data is not a zero, whatever the author selected."""

import json
from dataclasses import replace
from typing import Any

import pytest
from graphql import parse, print_ast

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Deadline, Phase
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

# Of the three minutes that are read at 12:00:20, the middle one (-3) has no calls.
IDLE = parse_scenario(f'{{services: [{{name: "{CANARY}", traffic: [{{calls: 60, idleMinutes: [-3]}}]}}]}}', "test")
SILENT = parse_scenario(f'{{services: [{{name: "{CANARY}", traffic: [{{until: -30, calls: 60}}]}}]}}', "test")

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
async def test_an_idle_minute_is_not_a_failure(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run()

    assert measurement.phase is Phase.SUCCESSFUL, measurement.message
    assert values(measurement.value) == [{"value": 10000}] * 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_built_ins_zeros_can_be_had_back(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        kept = await b.run(absent="zero")
        silent = await b.run(absent="zero", query=reference_query("nobody"), maxWait="0")

    assert values(kept.value) == [{"value": 10000}, {"value": 0}, {"value": 10000}]
    assert kept.phase is Phase.FAILED
    assert silent.phase is Phase.INCONCLUSIVE  # zeros or not: no data is no data


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_calls_are_zero_calls(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run("true", query=reference_query(metric="service_cpm"))

    assert values(measurement.value, "service_cpm") == [{"value": 60}, {"value": 0}, {"value": 60}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "query", [reference_query(), SINGLE, reference_query(fields="v: value")], ids=["values", "value", "alias"]
)
async def test_a_silent_service_is_no_data_before_any_condition(
    harness: HarnessFactory, version: str, query: str
) -> None:
    async with harness(SILENT, version=version) as b:
        measurement = await b.run("false", query=query, maxWait="0")

    assert measurement.phase is Phase.INCONCLUSIVE
    assert measurement.message.startswith("NO_DATA ")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_single_value_stays_the_number_that_was_asked_for(harness: HarnessFactory, version: str) -> None:
    async with harness(version=version) as b:
        measurement = await b.run("result.apdex >= 9900", query=SINGLE)

    assert (measurement.phase, measurement.value) == (Phase.SUCCESSFUL, '{"apdex":10000}')


@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_fragments_are_healed_too(harness: HarnessFactory, version: str) -> None:
    async with harness(IDLE, version=version) as b:
        measurement = await b.run(query=FRAGMENTS)

    assert values(measurement.value) == [{"value": 10000}] * 2


async def test_what_the_author_selected_himself_stays_in_the_result(harness: HarnessFactory) -> None:
    async with harness(IDLE) as b:
        measurement = await b.run(query=reference_query(fields="value isEmptyValue"))

    assert values(measurement.value) == [{"value": 10000, "isEmptyValue": False}] * 2


@pytest.mark.parametrize(
    ("query", "words"),
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
async def test_what_hides_absent_minutes_is_refused_with_the_remedy(
    harness: HarnessFactory, query: str, words: str
) -> None:
    async with harness(IDLE) as b:
        measurement = await b.run("true", query=query)

    assert measurement.phase is Phase.ERROR
    assert measurement.message.startswith("QUERY_INVALID query: ")
    assert words in measurement.message


READS = [
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


@pytest.mark.parametrize("selection", READS)
@pytest.mark.parametrize("version", ["9.6.0", "10.1.0"])
async def test_however_it_is_written_a_silent_service_is_never_judged_and_an_idle_minute_never_a_zero(
    harness: HarnessFactory, version: str, selection: str
) -> None:
    body = reference_query().split("label values")[0] + selection + " } }"
    query = f"{body} {FRAGMENT}" if "...series" in selection else body
    async with harness(SILENT, version=version) as b:
        silent = await b.run("true", query=query, maxWait="0")
    async with harness(IDLE, version=version) as b:
        idle = await b.run("true", query=query)

    assert silent.message.startswith("NO_DATA "), silent
    assert idle.phase is Phase.SUCCESSFUL, idle
    assert idle.value.count("10000") == 2
    assert ":0" not in idle.value


async def test_relations_and_metrics_that_need_no_calls_are_left_alone_on_an_old_oap() -> None:
    query = """query q($duration: Duration!) {
      jvm: readMetricsValues(condition: {name: "service_instance_jvm_cpu", entity: {scope: ServiceInstance,
        serviceName: "x", serviceInstanceName: "y", normal: true}}, duration: $duration) { values { values { value } } }
    }"""

    assert "swp_calls_" not in add_presence_reads(query, nullable=False).text
    assert "swp_calls_" in add_presence_reads(query.replace("jvm_cpu", "resp_time"), nullable=False).text


async def test_an_expressions_error_is_asked_for_and_does_not_show_in_the_result(harness: HarnessFactory) -> None:
    def query(expression: str) -> str:
        return f"""query q($duration: Duration!) {{
          r: execExpression(expression: "{expression}", entity: {{serviceName: "{CANARY}", normal: true}},
            duration: $duration) {{ results {{ values {{ id value }} }} }}
        }}"""

    async with harness() as b:
        wrong = await b.run("true", query=query("service_cmp"))
        right = await b.run("true", query=query("service_cpm"))

    assert wrong.phase is Phase.ERROR
    assert "does not exist" in wrong.message
    assert list(json.loads(right.value)["r"]) == ["results"]


async def test_absent_values_of_an_expression_are_left_out(harness: HarnessFactory) -> None:
    query = f"""query q($duration: Duration!) {{
      r: execExpression(expression: "service_apdex", entity: {{serviceName: "{CANARY}", normal: true}},
        duration: $duration) {{ type error results {{ values {{ id value }} }} }}
    }}"""
    async with harness(IDLE) as b:
        measurement = await b.run("len(result.r.results[0].values) == 2", query=query)

    assert measurement.phase is Phase.SUCCESSFUL


async def test_the_built_ins_window_is_read_with_the_built_ins_query(harness: HarnessFactory) -> None:
    async with harness(IDLE) as b:
        await b.run(REFERENCE_CONDITION, compatibility="argo")

        assert "isEmptyValue" not in b.oap.requests[-1].body


async def test_the_resolved_query_shows_what_was_added(harness: HarnessFactory) -> None:
    async with harness() as b:
        told = b.engine.metadata(build_metric(REFERENCE_CONDITION))
        as_written = b.engine.metadata(build_metric(REFERENCE_CONDITION, compatibility="argo"))

    assert "isEmptyValue" in told["ResolvedSkyWalkingQuery"]
    assert as_written["ResolvedSkyWalkingQuery"].split() == reference_query().split()
    assert as_written["window"].startswith("3m up to now")


async def test_metadata_of_an_indicator_names_its_metrics_and_selector_and_asks_nobody(harness: HarnessFactory) -> None:
    block = {"sli": "success-rate", "window": "5m", "service": "reviews.bookinfo"}
    block["instances"] = {"podTemplateHash": "6c85f7bf4"}
    async with harness() as b:
        told = b.engine.metadata(replace(build_metric(""), block=json.dumps(block).encode()))

        assert b.oap.requests == []
    assert told == {
        "backend": "prod",
        "sli": "success-rate",
        "metrics": "service_instance_sla, service_instance_cpm",
        "service": "reviews.bookinfo",
        "instances": "6c85f7bf4",
        "window": "5m",
    }


def test_other_queries_are_sent_as_they_are_written() -> None:
    query = "query q($duration: Duration!) {\n  getTimeInfo {\n    timezone\n  }\n}"

    assert add_presence_reads(query, nullable=True).text == add_presence_reads(query, nullable=False).text == query


@pytest.mark.parametrize("version", VERSIONS)
async def test_percentiles_are_healed_as_well(harness: HarnessFactory, version: str) -> None:
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
def test_what_the_author_wrote_is_sent_to_the_letter(nullable: bool) -> None:
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

    healed = add_presence_reads(above + below + after, nullable=nullable).text

    assert healed.startswith(f"{above} error {below}  swp_")  # so that OAP tells his own lines
    assert healed.endswith(f"\n{after}")
    assert print_ast(parse(healed)).count("@include(if: $on)") == (2 if nullable else 3)


def test_a_query_that_is_nested_too_deeply_is_refused_as_such() -> None:
    spread = "".join(f"fragment f{at} on Any {{ {'... {' * 20} ...f{at + 1} {'}' * 20} }}" for at in range(55))
    query = f"""query q($duration: Duration!) {{
      sla: readMetricsValues(condition: {{name: "service_sla"}}, duration: $duration) {{ ...f0 }}
    }} {spread} fragment f55 on Any {{ values {{ values {{ value }} }} }}"""

    with pytest.raises(ProviderError, match="query: nested too deeply"):
        add_presence_reads(query, nullable=True)


@pytest.mark.parametrize(("reads", "aliases"), [(1, 400), (150, 15)])
def test_a_query_that_spreads_itself_to_more_than_an_oap_takes_is_refused(reads: int, aliases: int) -> None:
    spread = " ".join(f"a{at}: values {{ ...all }}" for at in range(aliases))
    read = 'readMetricsValues(condition: {name: "service_sla"}, duration: $duration) { ...all }'
    query = f"""query q($duration: Duration!) {{ {" ".join(f"r{at}: {read}" for at in range(reads))} }}
    fragment all on Any {{ {spread} ...all }}"""

    with pytest.raises(ProviderError, match="more than 3000 fields") as refused:
        add_presence_reads(query, nullable=True)

    assert refused.value.reason is Reason.QUERY_INVALID


def test_a_query_that_goes_round_in_its_fragments_is_refused_before_it_takes_long() -> None:
    round_and_round = " ".join("...w" for _ in range(1200))
    fields = " ".join(f"a{at}: values {{ ...w }}" for at in range(200))
    query = f"""query q($duration: Duration!) {{
      sla: readMetricsValues(condition: {{name: "service_sla"}}, duration: $duration) {{ {fields} }}
    }}
    fragment w on W {{ {round_and_round} }}"""

    with pytest.raises(ProviderError, match="more than 20000 selections"):
        add_presence_reads(query, nullable=True)
