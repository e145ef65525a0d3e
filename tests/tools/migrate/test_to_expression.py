"""Rewriting of queries to expressions, only where both mean the same."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from skywalking_provider.block import ExpressionSpec
from skywalking_provider.conditions import ConditionLanguage, Limits, open_expr_evaluator
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
    async with open_expr_evaluator(Limits(seconds=30, slice_seconds=10)) as opened:
        yield opened


def test_reference_query_becomes_an_expression(reference_template: str) -> None:
    migration = migrate_to_expression(reference_template)

    assert migrated_metric(migration)["successCondition"] == "all(result, # >= 9900)"
    assert migrated_block(migration) == {
        "window": "3m",
        "address": "http://oap.istio-system:12800",
        "expression": "service_apdex",
        "service": "{{ args.service-name }}",
    }
    assert isinstance(migrated_spec(migration), ExpressionSpec)


def test_query_is_kept_without_to_expression() -> None:
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
def test_read_becomes_an_expression_for_its_entity(query: str, keys: dict[str, object]) -> None:
    migration = migrate_to_expression(build_template(query))

    assert migrated_block(migration) == {"window": "3m", "address": "http://oap:12800", **keys}
    assert isinstance(migrated_spec(migration), ExpressionSpec)


def test_escaped_instance_name_matches_itself_only() -> None:
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
        (build_query("readMetricsValue", "meter_jvm_threads"), "by another function than avg()"),
        (build_query(metric="{{args.metric}}"), "{{args.metric}} is not known before the run"),
        (build_query(entity='scope: Service, serviceName: "a"'), "does not have `normal: true`"),
        (build_query(entity='scope: Service, serviceName: "a", normal: false'), "does not have `normal: true`"),
        (build_query(entity='scope: Service, serviceName: "a", normal: {{args.n}}'), "{{args}} outside of strings"),
        (build_query(entity='serviceName: "a", normal: true'), "the scope of its entity is not"),
        (
            build_query(entity='scope: ServiceRelation, serviceName: "a", normal: true'),
            "the scope of its entity is not",
        ),
        (build_query(entity='scope: Endpoint, serviceName: "a", normal: true'), "does not match the keys serviceName"),
        (build_query(entity=INSTANCE.replace("pod-1", "{{args.pod}}")), "preferably with podTemplateHash"),
        (build_query("readLabeledMetricsValues", "meter_x", extra_arguments="labels: [], "), "labels of meter_x"),
        (
            build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["4", "0"], '),
            "in this order",
        ),
        (
            build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["99"], '),
            "in this order",
        ),
        (build_query()[:-1] + "a: version }", "reads 2 fields"),
        (
            build_query().replace("$duration) {", "$duration) @skip(if: true) {"),
            "directives",
        ),
        ("query q($duration: Duration!) { ...f } fragment f on Query { version }", "fragments"),
        (
            'query q($duration: Duration!) { r: execExpression(expression: "a", duration: $duration) { type } }',
            "write that as `expression`",
        ),
        ("query q($duration: Duration!) { r: readHeatMap(duration: $duration) { a } }", "has no equivalent"),
    ],
)
def test_query_without_an_equivalent_expression_is_kept_with_the_reason(query: str, reason: str) -> None:
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
def test_condition_with_an_unsupported_pattern_keeps_its_query_with_the_reason(condition: str) -> None:
    migration = migrate_to_expression(build_template(metric={"failureCondition": condition}))

    assert migrated_metric(migration)["failureCondition"] == condition
    assert "query" in migrated_block(migration)
    assert notes_by_topic(migration)["query"].startswith("Is not rewritten to an expression: ")


def test_condition_with_an_unsupported_pattern_keeps_the_other_condition_too() -> None:
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
def test_condition_on_minutes_becomes_a_condition_on_numbers(before: str, after: str) -> None:
    migration = migrate_to_expression(build_template(metric={"successCondition": before}))

    assert migrated_metric(migration)["successCondition"] == after


async def test_both_conditions_have_the_same_phase(conditions: ConditionLanguage) -> None:
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
async def test_single_value_is_truncated_as_in_v2(conditions: ConditionLanguage, before: str, after: str) -> None:
    migration = migrate_to_expression(build_template(SINGLE, metric={"successCondition": before}))

    assert migrated_metric(migration)["successCondition"] == after
    for average in (0, 9898.999, 9899.667, 9900, 9900.333):
        if "isInf" not in before:
            assert await phase(conditions, before, {"r": int(average)}) == await phase(conditions, after, average)


@pytest.mark.parametrize(
    ("labels", "index", "percentile"), [("[]", 4, "99"), ("[]", 0, "50"), ('["2", "4"]', 1, "99"), ('["2"]', 0, "90")]
)
def test_label_by_index_becomes_the_percentile_by_name(labels: str, index: int, percentile: str) -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments=f"labels: {labels}, ")
    condition = {"failureCondition": f"any(result.r[{index}].values.values, {{.value > 500}})"}

    migration = migrate_to_expression(build_template(query, metric=condition))

    assert migrated_metric(migration)["failureCondition"] == f'any(result["{percentile}"], # > 500)'


def test_condition_on_a_label_that_is_not_read_keeps_its_query() -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["2"], ')
    migration = migrate_to_expression(
        build_template(query, metric={"failureCondition": "any(result.r[1].values.values, {.value > 1})"})
    )

    assert "reads the label with index 1, but the query has 1" in notes_by_topic(migration)["query"]


def test_condition_on_an_instance_selects_it_by_name() -> None:
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
def test_rewritten_condition_keeps_its_style_comments_and_arguments(
    reference_template: str, written: str, becomes: str
) -> None:
    old = '"all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"'

    assert f"    successCondition: {becomes}\n" in migrate_to_expression(reference_template.replace(old, written)).after


def test_query_of_this_provider_becomes_an_expression_and_keeps_its_keys(reference_template: str) -> None:
    block = migrate(reference_template, PLUGIN).after.replace(
        "interval: 3m", "interval: 3m  # three\n          maxWait: 10m # long"
    )

    after = migrate_to_expression(block)

    assert migrated_block(after)["maxWait"] == "10m"
    assert "          window: 3m  # three\n          maxWait: 10m # long\n" in after.after


@pytest.mark.parametrize("key", ["absent: zero", "compatibility: argo"])
def test_query_with_zeros_is_kept(reference_template: str, key: str) -> None:
    block = migrate(reference_template, PLUGIN).after.replace("interval: 3m", f"interval: 3m\n          {key}")

    assert migrate_to_expression(block).after == block


def test_query_of_a_shared_block_is_kept(reference_template: str) -> None:
    source = (
        reference_template.replace("skywalking:\n", "skywalking: &b\n")
        + "  - name: again\n    provider:\n      skywalking: *b\n"
    )

    notes = [
        note.text for metric in migrate_to_expression(source).metrics for note in metric.notes if note.topic == "query"
    ]

    assert notes == ["Is not rewritten to an expression: the block is shared by a YAML anchor (&)."] * 2


def test_expression_has_notes_for_its_changes_in_behaviour(reference_template: str) -> None:
    by_topic = notes_by_topic(migrate_to_expression(reference_template))

    assert {"since", "entity", "OAP", "result"} <= set(by_topic)
    assert "absent: zero" not in by_topic["absent"]
