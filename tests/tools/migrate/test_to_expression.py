"""From queries to expressions: only where both mean the same."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skywalking_provider.block import ExpressionSpec
from skywalking_provider.conditions import ConditionLanguage, open_expr_evaluator
from skywalking_provider.tools.migrate import migrate
from tests.tools.migrate.harness import (
    PLUGIN,
    SERVICE,
    build_query,
    build_template,
    migrate_to_expression,
    migrated_block,
    migrated_metric,
    migrated_spec,
    notes_by_topic,
)

INSTANCE = 'scope: ServiceInstance, serviceName: "a", serviceInstanceName: "pod-1.x (2)", normal: true'
ENDPOINT = 'scope: Endpoint, serviceName: "a", endpointName: "GET:/reviews/{{args.id}}", normal: true'
PERCENTILE = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments="labels: [], ")
SINGLE = build_query("readMetricsValue")


@pytest.fixture
async def conditions() -> AsyncIterator[ConditionLanguage]:
    async with open_expr_evaluator() as opened:
        yield opened


def test_the_talks_query_becomes_an_expression(reference_template: str) -> None:
    migration = migrate_to_expression(reference_template)

    assert migrated_metric(migration)["successCondition"] == "all(result, # >= 9900)"
    assert migrated_block(migration) == {
        "window": "3m",
        "address": "http://oap.istio-system:12800",
        "expression": "service_apdex",
        "service": "{{ args.service-name }}",
    }
    assert isinstance(migrated_spec(migration), ExpressionSpec)


def test_without_to_expression_a_query_stays_one() -> None:
    assert "query" in migrated_block(migrate(build_template(), PLUGIN))


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (build_query(), {"expression": "service_apdex", "service": "reviews"}),
        (SINGLE, {"expression": "avg(service_apdex)", "service": "reviews"}),
        (PERCENTILE, {"expression": "service_percentile", "service": "reviews"}),
        (
            build_query(metric="endpoint_sla", entity=ENDPOINT),
            {"expression": "endpoint_sla", "service": "a", "endpoint": "GET:/reviews/{{args.id}}"},
        ),
        (
            build_query(metric="service_instance_sla", entity=INSTANCE),
            {
                "expression": "service_instance_sla",
                "service": "a",
                "instances": {"name": r"pod-1\.x \(2\)"},
            },
        ),
        (
            build_query(entity=SERVICE.replace("reviews", "{{args.v}}|reviews|bookinfo|c-1|-")),
            {"expression": "service_apdex", "service": "{{args.v}}|reviews|bookinfo|c-1|-"},
        ),
    ],
)
def test_a_read_becomes_an_expression_of_its_entity(query: str, keys: dict[str, object]) -> None:
    migration = migrate_to_expression(build_template(query))

    assert migrated_block(migration) == {"window": "3m", "address": "http://oap:12800", **keys}
    assert isinstance(migrated_spec(migration), ExpressionSpec)


def test_the_name_of_an_instance_matches_itself_only() -> None:
    spec = migrated_spec(
        migrate_to_expression(build_template(build_query(metric="service_instance_sla", entity=INSTANCE)))
    )

    assert isinstance(spec, ExpressionSpec)
    assert spec.instances is not None
    assert re.fullmatch(spec.instances.name or "", "pod-1.x (2)")
    assert not re.fullmatch(spec.instances.name or "", "pod-1-x (2)")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (build_query(metric="service_cpm"), "minutes without calls are 0 in a query of service_cpm"),
        (build_query("readMetricsValue", "meter_jvm_threads"), "perhaps not by avg()"),
        (build_query(metric="{{args.metric}}"), "{{args.metric}} is not known here"),
        (build_query(entity='scope: Service, serviceName: "a"'), "not `normal: true`"),
        (build_query(entity='scope: Service, serviceName: "a", normal: false'), "not `normal: true`"),
        (build_query(entity='scope: Service, serviceName: "a", normal: {{args.n}}'), "{{args}} outside of text"),
        (build_query(entity='serviceName: "a", normal: true'), "no scope"),
        (build_query(entity='scope: ServiceRelation, serviceName: "a", normal: true'), "no scope"),
        (build_query(entity='scope: Endpoint, serviceName: "a", normal: true'), "does not go with serviceName"),
        (build_query(entity=INSTANCE.replace("pod-1", "{{args.pod}}")), "best with podTemplateHash"),
        (build_query("readLabeledMetricsValues", "meter_x", extra_arguments="labels: [], "), "labels of meter_x"),
        (
            build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["4", "0"], '),
            "in this order",
        ),
        (
            build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["99"], '),
            "in this order",
        ),
        (build_query().replace("$duration)", "{start: 1})"), "does not read the window"),
        (build_query()[:-1] + "a: version }", "reads 2 fields"),
        (
            build_query().replace("$duration) {", "$duration) @skip(if: true) {"),
            "directives",
        ),
        ("query q($duration: Duration!) { ...f } fragment f on Query { version }", "fragments"),
        (
            'query q($duration: Duration!) { r: execExpression(expression: "a", duration: $duration) { type } }',
            "write that as `expression` yourself",
        ),
        ("query q($duration: Duration!) { r: readHeatMap(duration: $duration) { a } }", "has no equivalent"),
    ],
)
def test_what_an_expression_cannot_say_stays_a_query_with_the_reason(query: str, reason: str) -> None:
    migration = migrate_to_expression(build_template(query))

    assert migrated_block(migration)["query"] == query
    assert any(reason in note.text for note in migration.metrics[0].notes), migration.metrics[0].notes


@pytest.mark.parametrize(
    "condition",
    [
        "len(result.r.values.values) > 0 && result.r.label == nil",
        'all(result.r.values.values, {.id != "" and .value > 1})',
        "all(result.r.values.values, {.isEmptyValue or .value > 1})",
        "filter(result.r.values.values, {.value > 1})[0].value > 2",
        "all(result.other.values.values, {.value > 1})",
        "all(result.r.values.values, {.value > 1}) && true // why",
        "all(result.r.values.values, {.value > result.r.values.values[0].value})",
        "default(result.r.values.values, []) == []",
        "true",
    ],
)
def test_a_condition_that_is_not_understood_keeps_its_query_and_names_what_to_write(condition: str) -> None:
    migration = migrate_to_expression(build_template(metric={"failureCondition": condition}))

    assert migrated_metric(migration)["failureCondition"] == condition
    assert "query" in migrated_block(migration)
    assert notes_by_topic(migration)["query"].startswith("is not rewritten to an expression: ")


def test_one_condition_that_is_not_understood_leaves_the_other_too() -> None:
    metric = {"successCondition": "all(result.r.values.values, {.value > 1})", "failureCondition": "result.x > 1"}

    assert (
        migrated_metric(migrate_to_expression(build_template(metric=metric)))["successCondition"]
        == metric["successCondition"]
    )


SERIES = [
    ("all(result.r.values.values, {asFloat(.value) >= 9900})", "all(result, # >= 9900)"),
    ("all(result.r.values.values, asFloat(#.value) >= 9900)", "all(result, # >= 9900)"),
    ("any(result.r.values.values, { asInt( .value ) < 9900 })", "any(result, # < 9900)"),
    ("none(result['r'].values.values, {.value > 9900.5})", "none(result, # > 9900.5)"),
    ("one(result.r.values?.values, {9900 == .value})", "one(result, 9900 == #)"),
    ("count(result.r.values.values, {.value < 9900}) <= 1", "count(result, # < 9900) <= 1"),
    ("len(filter(result.r.values.values, {.value < 9900})) < 2", "len(filter(result, # < 9900)) < 2"),
    ("len(result.r.values.values) >= 3", "len(result) >= 3"),
    ("asFloat(result.r.values.values[0].value) / 100 > 98.5", "asFloat(result[0]) / 100 > 98.5"),
    ("sum(map(result.r.values.values, {asFloat(.value)})) > 19800", "sum(map(result, #)) > 19800"),
    (
        "any(result.r.values.values, {.value > 1}) and not all(result.r.values.values, {.value < 9900 || .value == 0})",
        "any(result, # > 1) and not all(result, # < 9900 || # == 0)",
    ),
]


@pytest.mark.parametrize(("before", "after"), SERIES)
def test_a_condition_on_minutes_becomes_one_on_numbers(before: str, after: str) -> None:
    migration = migrate_to_expression(build_template(metric={"successCondition": before}))

    assert migrated_metric(migration)["successCondition"] == after


async def test_argos_evaluator_gives_both_conditions_the_same_phase(conditions: ConditionLanguage) -> None:
    phases = set()
    for values in ([0], [9899], [9900], [9901], [9900, 9950, 10000], [10000, 9899, 0], [9899] * 3, [9950] * 5):
        for before, after in SERIES:
            data = {"r": {"label": None, "values": {"values": [{"value": value} for value in values]}}}
            old, new = await phase(conditions, before, data), await phase(conditions, after, values)
            assert old == new, (before, after, values)
            phases.add(old)
    assert phases == {"Successful", "Failed"}


async def phase(conditions: ConditionLanguage, condition: str, result: Any) -> str:
    return (await conditions.evaluate(condition, "", json.dumps(result).encode(), timeout=60)).phase


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("asFloat(result.r) >= 9900", "asInt(result) >= 9900"),
        ("result.r > 9899", "asInt(result) > 9899"),
        ("asInt(result.r)==9900", "asInt(result)==9900"),
        ("not (result.r < 9900)", "not (asInt(result) < 9900)"),
        ("isInf(asFloat(result.r)) || result['r'] > 9899", "isInf(asInt(result)) || asInt(result) > 9899"),
    ],
)
async def test_a_single_value_loses_its_decimals_as_it_did_in_v2(
    conditions: ConditionLanguage, before: str, after: str
) -> None:
    migration = migrate_to_expression(build_template(SINGLE, metric={"successCondition": before}))

    assert migrated_metric(migration)["successCondition"] == after
    for average in (0, 9898.999, 9899.667, 9900, 9900.333):
        if "isInf" not in before:
            assert await phase(conditions, before, {"r": int(average)}) == await phase(conditions, after, average)


@pytest.mark.parametrize(
    ("labels", "index", "percentile"), [("[]", 4, "99"), ("[]", 0, "50"), ('["2", "4"]', 1, "99"), ('["2"]', 0, "90")]
)
def test_a_label_by_its_place_becomes_the_percentile_by_its_name(labels: str, index: int, percentile: str) -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments=f"labels: {labels}, ")
    condition = {"failureCondition": f"any(result.r[{index}].values.values, {{.value > 500}})"}

    migration = migrate_to_expression(build_template(query, metric=condition))

    assert migrated_metric(migration)["failureCondition"] == f'any(result["{percentile}"], # > 500)'


def test_a_label_that_is_not_read_keeps_its_query() -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["2"], ')
    migration = migrate_to_expression(
        build_template(query, metric={"failureCondition": "any(result.r[1].values.values, {.value > 1})"})
    )

    assert "reads label 1 of 1" in notes_by_topic(migration)["query"]


def test_instances_are_found_in_the_result_by_name() -> None:
    query = build_query(metric="service_instance_sla", entity=INSTANCE)
    migration = migrate_to_expression(
        build_template(query, metric={"successCondition": "all(result.r.values.values, {.value > 1})"})
    )

    assert migrated_metric(migration)["successCondition"] == 'all(result["pod-1.x (2)"], # > 1)'


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("all(result.service_apdex.values.values, {.value > 1})  # why", "'all(result, # > 1)'  # why"),
        ("'all(result.service_apdex.values.values, {.value > 1})'", "'all(result, # > 1)'"),
        ('"all(result.service_apdex.values.values,\n      {.value > 1})"', '"all(result, # > 1)"'),
        (
            "|\n        any(result.service_apdex.values.values, {.value > 1})\n        and true\n",
            "|\n        any(result, # > 1)\n        and true\n",
        ),
        (">-\n      len(result.service_apdex.values.values)\n      > 1", ">-\n      len(result) > 1"),
        (
            '"any(result.service_apdex.values.values, {.value > {{args.min}}})"',
            '"any(result, # > {{args.min}})"',
        ),
    ],
)
def test_a_condition_keeps_its_style_comments_and_arguments(
    reference_template: str, written: str, becomes: str
) -> None:
    old = '"all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"'

    assert f"    successCondition: {becomes}\n" in migrate_to_expression(reference_template.replace(old, written)).after


def test_our_own_query_blocks_become_expressions_too_and_keep_their_keys(reference_template: str) -> None:
    ours = migrate(reference_template, PLUGIN).after.replace(
        "interval: 3m", "interval: 3m  # three\n          maxWait: 10m # long"
    )

    after = migrate_to_expression(ours)

    assert migrated_block(after)["maxWait"] == "10m"
    assert "          window: 3m  # three\n          maxWait: 10m # long\n" in after.after


@pytest.mark.parametrize("key", ["absent: zero", "compatibility: argo"])
def test_our_own_query_blocks_that_want_zeros_stay_queries(reference_template: str, key: str) -> None:
    ours = migrate(reference_template, PLUGIN).after.replace("interval: 3m", f"interval: 3m\n          {key}")

    assert migrate_to_expression(ours).after == ours


def test_a_block_that_is_shared_stays_a_query(reference_template: str) -> None:
    source = (
        reference_template.replace("skywalking:\n", "skywalking: &b\n")
        + "  - name: again\n    provider:\n      skywalking: *b\n"
    )

    notes = [
        note.text for metric in migrate_to_expression(source).metrics for note in metric.notes if note.topic == "query"
    ]

    assert notes == ["is not rewritten to an expression: its block is shared by an anchor (&)"] * 2


def test_what_an_expression_means_otherwise_is_said(reference_template: str) -> None:
    said = notes_by_topic(migrate_to_expression(reference_template))

    assert {"since", "entity", "OAP", "result"} <= set(said)
    assert "absent: zero" not in said["absent"]
