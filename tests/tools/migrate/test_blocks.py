"""Migration of a built-in provider's block: the rewritten text and the notes about it."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

import skywalking_provider.tools.demo
from skywalking_provider.block import GraphqlSpec
from skywalking_provider.tools.migrate import MigrationError, migrate
from tests.tools.migrate.harness import (
    PLUGIN,
    SERVICE,
    build_query,
    build_template,
    migrated_block,
    migrated_metric,
    migrated_spec,
    notes_by_topic,
)

ARGUMENT = "{{ args.a }}"
DEMO_TEMPLATE = Path(skywalking_provider.tools.demo.__file__).with_name("template.yaml")


def test_reference_template_becomes_the_template_of_the_demo_byte_for_byte(reference_template: str) -> None:
    assert migrate(reference_template, PLUGIN).after == DEMO_TEMPLATE.read_text()


def test_migrated_template_has_nothing_to_migrate(reference_template: str) -> None:
    again = migrate(migrate(reference_template, PLUGIN).after, PLUGIN)

    assert again.after == again.before
    assert again.metrics == ()


def test_migrated_block_is_valid_for_the_provider(reference_template: str) -> None:
    spec = migrated_spec(migrate(reference_template, PLUGIN))

    assert isinstance(spec, GraphqlSpec)
    assert (spec.interval, spec.address) == (timedelta(minutes=3), "http://oap.istio-system:12800")


def test_plugin_has_the_given_name(reference_template: str) -> None:
    after = yaml.safe_load(migrate(reference_template, "our-org/oap").after)

    assert list(after["spec"]["metrics"][0]["provider"]["plugin"]) == ["our-org/oap"]


def test_metric_has_a_note_for_every_change_in_behaviour(reference_template: str) -> None:
    (metric,) = migrate(reference_template, PLUGIN).metrics

    assert (metric.line, metric.template, metric.metric) == (14, "apdex", "apdex")
    assert metric.address == "http://oap.istio-system:12800"
    topics = {"window", "zone", "absent", "since", "no data", "outage", "names", "address"}
    assert {note.topic for note in metric.notes} == topics


@pytest.mark.parametrize(
    ("written", "whole"),
    [("90s", "2m"), ("30s", "1m"), ("0s", "1m"), ("1h0m1s", "1h1m"), ("2m30.5s", "3m")],
)
def test_interval_of_partial_minutes_is_rounded_up_with_a_note(written: str, whole: str) -> None:
    migration = migrate(build_template(interval=written), PLUGIN)

    assert migrated_block(migration)["interval"] == whole
    assert f"{written} is rounded up to {whole}" in notes_by_topic(migration)["interval"]


@pytest.mark.parametrize("quote", ["'", '"', ""])
def test_rounded_interval_keeps_its_quotes_and_comment(reference_template: str, quote: str) -> None:
    source = reference_template.replace("interval: 3m", f"interval: {quote}150s{quote}  # two and a half")

    assert f"          interval: {quote}3m{quote}  # two and a half\n" in migrate(source, PLUGIN).after


def test_interval_with_an_argument_is_unchanged_with_a_note() -> None:
    migration = migrate(build_template(interval="{{args.window}}"), PLUGIN)

    assert migrated_block(migration)["interval"] == "{{args.window}}"
    assert "must be a whole number of minutes" in notes_by_topic(migration)["interval"]


def test_condition_that_selects_a_minute_by_position_has_a_note() -> None:
    condition = {"successCondition": "result.r.values.values[2].value > 1"}

    assert (
        "successCondition reads values[2]" in notes_by_topic(migrate(build_template(metric=condition), PLUGIN))["index"]
    )


def test_counts_keep_their_zeros_with_a_note() -> None:
    assert (
        "minutes without calls as 0"
        in notes_by_topic(migrate(build_template(build_query(metric="service_cpm")), PLUGIN))["absent"]
    )


def test_single_value_has_no_note_about_absent_minutes() -> None:
    assert "absent" not in notes_by_topic(migrate(build_template(build_query("readMetricsValue")), PLUGIN))


def test_query_with_arguments_outside_of_strings_is_not_checked_with_a_note() -> None:
    migration = migrate(
        build_template(build_query(entity='scope: Service, serviceName: "a", normal: {{args.normal}}')), PLUGIN
    )

    assert "Is not checked here" in notes_by_topic(migration)["query"]
    assert "normal: {{args.normal}}" in migrated_block(migration)["query"]


def test_entity_without_normal_has_a_note() -> None:
    migration = migrate(build_template(build_query(entity='scope: Service, serviceName: "a"')), PLUGIN)

    assert "no `normal: true`" in notes_by_topic(migration)["query"]


def test_labels_that_oap_10_does_not_know_have_a_note() -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["4"], ')

    assert "for `labels: []` only" in notes_by_topic(migrate(build_template(query), PLUGIN))["query"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("address", "the block uses"), ("query", "the block uses"), ("successCondition", "successCondition uses")],
)
def test_secret_argument_has_a_note_with_its_location(key: str, expected: str) -> None:
    source = yaml.safe_load(build_template(build_query(entity=SERVICE.replace("reviews", "{{args.name}}"))))
    source["spec"]["args"] = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    metric = source["spec"]["metrics"][0]
    owner = metric if key == "successCondition" else metric["provider"]["skywalking"]
    owner[key] = "http://{{ args.token }}:1" if key == "address" else build_query(alias="x") + " # {{ args.token }}"

    note = notes_by_topic(migrate(yaml.safe_dump(source), PLUGIN))["secret"]

    assert expected in note
    assert "secret argument token," in note
    assert "SECRET_IN_BLOCK" in note


def test_other_keys_of_the_metric_are_unchanged() -> None:
    keys = {"interval": "5m", "count": 3, "failureLimit": 1, "successCondition": "all(result.r.values.values, {true})"}
    after = migrated_metric(migrate(build_template(metric=keys), PLUGIN))

    assert {key: after[key] for key in keys} == keys


@pytest.mark.parametrize(
    ("block", "line", "expected"),
    [
        ({"interval": None}, 9, "interval: is required"),
        ({"interval": "soon"}, 10, "'soon' is not a duration"),
        ({"interval": "501m"}, 10, "write 500m or less"),
        (
            {"address": "http://me:hunter2@oap:1"},
            11,
            "must not contain credentials or a query. Write them into a backend",
        ),
        ({"address": "oap:12800"}, 11, "is not an http:// or https:// URL"),
        ({"query": "mutation m { x }"}, 12, "measurements only read"),
        ({"querry": "x"}, 13, "unknown key. Did you mean query?"),
        ({"headers": {"a": "b"}}, 13, "unknown key"),
    ],
)
def test_invalid_block_is_rejected_with_its_line_and_a_hint(block: dict[str, object], line: int, expected: str) -> None:
    with pytest.raises(MigrationError) as caught:
        migrate(build_template(**block), PLUGIN)

    assert caught.value.line == line
    assert expected in caught.value.message
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["sli: apdex", "percentile: 99"], "percentile: belongs to sli: latency"),
        (["sli: latency", "aggregate: highest"], "aggregate: belongs to a percentile"),
        (['expression: "top_n(a,1,des)"', "endpoint: x"], "endpoint: top_n ranks"),
    ],
)
def test_invalid_key_of_a_migrated_block_is_rejected_with_its_line(keys: list[str], expected: str) -> None:
    before = build_template().split("    provider:")[0]
    block = "".join(f"          {key}\n" for key in ["window: 3m", "service: a", *keys])
    source = f"{before}    provider:\n      plugin:\n        {PLUGIN}:\n{block}"

    with pytest.raises(MigrationError) as caught:
        migrate(source, PLUGIN)

    assert caught.value.message.startswith(expected)
    assert caught.value.line == source.count("\n")  # the last line


@pytest.mark.parametrize(
    "block",
    [
        {"sli": "success-rate", "window": "10m", "service": "a", "instances": {"podTemplateHash": ARGUMENT}},
        {"sli": ARGUMENT, "percentile": ARGUMENT, "aggregate": ARGUMENT, "window": ARGUMENT}
        | {"service": ARGUMENT, "instances": {"name": ARGUMENT}},
        {"expression": "avg({{ args.a }})", "scale": ARGUMENT, "service": ARGUMENT, "window": ARGUMENT}
        | {"layer": ARGUMENT, "since": ARGUMENT, "minCalls": ARGUMENT, "maxWait": ARGUMENT, "settle": ARGUMENT}
        | {"onNoData": ARGUMENT, "onOutage": ARGUMENT, "outageGrace": ARGUMENT, "backend": ARGUMENT},
        {"query": build_query(), "interval": ARGUMENT, "absent": ARGUMENT, "address": ARGUMENT},
        {"query": build_query(), "interval": ARGUMENT, "compatibility": ARGUMENT},
    ],
)
def test_arguments_in_a_block_of_this_provider_are_accepted(block: dict[str, object]) -> None:
    document = yaml.safe_load(build_template())
    document["spec"]["metrics"][0]["provider"] = {"plugin": {PLUGIN: block}}

    migration = migrate(yaml.safe_dump(document), PLUGIN)

    assert migration.after == migration.before


def test_syntax_error_in_a_query_has_its_own_line(reference_template: str) -> None:
    source = reference_template.replace("duration: $duration) {", "duration: $duration {")

    with pytest.raises(MigrationError) as caught:
        migrate(source, PLUGIN)

    assert caught.value.line == source[: source.index("$duration {")].count("\n") + 1


def test_argument_without_quotes_is_rejected_with_a_hint(reference_template: str) -> None:
    with pytest.raises(MigrationError, match=r'line 15: interval: argument without quotes. Write "\{\{args.name\}\}"'):
        migrate(reference_template.replace("interval: 3m", "interval: {{args.window}}"), PLUGIN)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("provider: {skywalking: {interval: 3m}, web: {url: x}}", "Argo allows one"),
        ("provider: {skywalking: }", "the block is empty. Write interval and query"),
        ("provider: {<<: *other}", "the provider is a YAML merge"),
    ],
)
def test_invalid_provider_is_rejected(reference_template: str, provider: str, expected: str) -> None:
    first = "  - {name: b, provider: &other {skywalking: {interval: 3m, query: '{ version }'}}}\n"
    source = (
        reference_template[: reference_template.index("provider:")].replace("metrics:\n", f"metrics:\n{first}")
        + provider
        + "\n"
    )

    with pytest.raises(MigrationError, match=expected):
        migrate(source, PLUGIN)


def test_yaml_merge_of_another_provider_is_accepted(reference_template: str) -> None:
    first = "  - {name: b, provider: &other {web: {}}}\n  - {name: c, provider: {<<: *other}}\n"

    assert len(migrate(reference_template.replace("metrics:\n", f"metrics:\n{first}"), PLUGIN).metrics) == 1


def test_helm_template_is_rejected_with_a_hint(reference_template: str) -> None:
    with pytest.raises(MigrationError, match=r"line 4: is not YAML.*helm template"):
        migrate(reference_template.replace("name: apdex\nspec", "name: {{ .Values.name }}-x\nspec"), PLUGIN)


@pytest.mark.parametrize("duration", ['{start: "2026-11-29 1949", end: "2026-11-29 1950", step: MINUTE}', "$other"])
def test_query_of_fixed_minutes_is_an_error_with_the_read_and_its_line(duration: str) -> None:
    query = build_query().replace("duration: $duration", f"duration: {duration}")

    with pytest.raises(MigrationError, match=r"does not use \$duration: its duration is") as caught:
        migrate(build_template(query), PLUGIN)

    assert caught.value.line > 0
