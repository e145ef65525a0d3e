"""From the built-in provider's block to ours: what is written, and what is said about it."""

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

OURS = Path(skywalking_provider.tools.demo.__file__).with_name("template.yaml")


def test_the_talks_template_becomes_the_one_that_the_demo_judges_byte_for_byte(reference_template: str) -> None:
    assert migrate(reference_template, PLUGIN).after == OURS.read_text()


def test_what_is_migrated_once_has_nothing_to_migrate(reference_template: str) -> None:
    again = migrate(migrate(reference_template, PLUGIN).after, PLUGIN)

    assert again.after == again.before
    assert again.metrics == ()


def test_the_provider_understands_the_result(reference_template: str) -> None:
    spec = migrated_spec(migrate(reference_template, PLUGIN))

    assert isinstance(spec, GraphqlSpec)
    assert (spec.interval, spec.address) == (timedelta(minutes=3), "http://oap.istio-system:12800")


def test_the_plugin_has_the_administrators_name(reference_template: str) -> None:
    after = yaml.safe_load(migrate(reference_template, "our-org/oap").after)

    assert list(after["spec"]["metrics"][0]["provider"]["plugin"]) == ["our-org/oap"]


def test_everything_that_changes_in_meaning_is_said_of_each_metric(reference_template: str) -> None:
    (metric,) = migrate(reference_template, PLUGIN).metrics

    assert (metric.line, metric.template, metric.metric) == (14, "apdex", "apdex")
    assert metric.address == "http://oap.istio-system:12800"
    assert {note.topic for note in metric.notes} == {"window", "zone", "absent", "no data", "outage", "address"}


@pytest.mark.parametrize(
    ("written", "whole"),
    [("90s", "2m"), ("30s", "1m"), ("0s", "1m"), ("1h0m1s", "1h1m"), ("2m30.5s", "3m")],
)
def test_an_interval_that_is_no_whole_minute_is_rounded_up_and_said(written: str, whole: str) -> None:
    migration = migrate(build_template(interval=written), PLUGIN)

    assert migrated_block(migration)["interval"] == whole
    assert f"{written} is rounded up to {whole}" in notes_by_topic(migration)["interval"]


@pytest.mark.parametrize("quote", ["'", '"', ""])
def test_a_rounded_interval_keeps_its_quotes_and_comment(reference_template: str, quote: str) -> None:
    source = reference_template.replace("interval: 3m", f"interval: {quote}150s{quote}  # two and a half")

    assert f"          interval: {quote}3m{quote}  # two and a half\n" in migrate(source, PLUGIN).after


def test_an_interval_that_is_an_argument_is_left_with_a_note_on_its_values() -> None:
    migration = migrate(build_template(interval="{{args.window}}"), PLUGIN)

    assert migrated_block(migration)["interval"] == "{{args.window}}"
    assert "must be whole minutes" in notes_by_topic(migration)["interval"]


def test_a_condition_that_picks_a_minute_by_its_place_is_named() -> None:
    condition = {"successCondition": "result.r.values.values[2].value > 1"}

    assert (
        "successCondition reads values[2]" in notes_by_topic(migrate(build_template(metric=condition), PLUGIN))["index"]
    )


def test_counts_keep_their_zeros_and_are_said_to() -> None:
    assert (
        "minute without calls as 0"
        in notes_by_topic(migrate(build_template(build_query(metric="service_cpm")), PLUGIN))["absent"]
    )


def test_a_single_value_has_no_minutes_to_leave_out() -> None:
    assert "absent" not in notes_by_topic(migrate(build_template(build_query("readMetricsValue")), PLUGIN))


def test_arguments_outside_of_text_are_migrated_unchecked_and_that_is_said() -> None:
    migration = migrate(
        build_template(build_query(entity='scope: Service, serviceName: "a", normal: {{args.normal}}')), PLUGIN
    )

    assert "is not checked here" in notes_by_topic(migration)["query"]
    assert "normal: {{args.normal}}" in migrated_block(migration)["query"]


def test_an_entity_that_oap_never_finds_is_named() -> None:
    migration = migrate(build_template(build_query(entity='scope: Service, serviceName: "a"')), PLUGIN)

    assert "no `normal: true`" in notes_by_topic(migration)["query"]


def test_labels_that_oap_10_does_not_know_are_named() -> None:
    query = build_query("readLabeledMetricsValues", "service_percentile", extra_arguments='labels: ["4"], ')

    assert "only `labels: []`" in notes_by_topic(migrate(build_template(query), PLUGIN))["query"]


@pytest.mark.parametrize(
    ("place", "said"),
    [("address", "the block uses"), ("query", "the block uses"), ("successCondition", "successCondition uses")],
)
def test_a_secret_argument_is_named_where_it_is_used(place: str, said: str) -> None:
    source = yaml.safe_load(build_template(build_query(entity=SERVICE.replace("reviews", "{{args.who}}"))))
    source["spec"]["args"] = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    metric = source["spec"]["metrics"][0]
    where = metric if place == "successCondition" else metric["provider"]["skywalking"]
    where[place] = "http://{{ args.token }}:1" if place == "address" else build_query(alias="x") + " # {{ args.token }}"

    note = notes_by_topic(migrate(yaml.safe_dump(source), PLUGIN))["secret"]

    assert said in note
    assert "secret argument token," in note
    assert "SECRET_IN_BLOCK" in note


def test_conditions_limits_and_other_keys_of_the_metric_stay() -> None:
    keys = {"interval": "5m", "count": 3, "failureLimit": 1, "successCondition": "all(result.r.values.values, {true})"}
    after = migrated_metric(migrate(build_template(metric=keys), PLUGIN))

    assert {key: after[key] for key in keys} == keys


@pytest.mark.parametrize(
    ("block", "line", "what"),
    [
        ({"interval": None}, 9, "interval: is required"),
        ({"interval": "soon"}, 10, "'soon' is not a duration"),
        ({"interval": "501m"}, 10, "write 500m or less"),
        (
            {"address": "http://me:hunter2@oap:1"},
            11,
            "must not carry credentials or a query; those belong in a backend",
        ),
        ({"address": "oap:12800"}, 11, "is not an http:// or https:// URL"),
        ({"query": "mutation m { x }"}, 12, "a measurement only reads"),
        ({"querry": "x"}, 13, "unknown key. Did you mean query?"),
        ({"headers": {"a": "b"}}, 13, "unknown key"),
    ],
)
def test_a_wrong_block_is_refused_at_its_line_with_the_remedy(block: dict[str, object], line: int, what: str) -> None:
    with pytest.raises(MigrationError) as caught:
        migrate(build_template(**block), PLUGIN)

    assert caught.value.line == line
    assert what in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_a_mistake_in_a_query_is_shown_at_its_own_line(reference_template: str) -> None:
    source = reference_template.replace("duration: $duration) {", "duration: $duration {")

    with pytest.raises(MigrationError) as caught:
        migrate(source, PLUGIN)

    assert caught.value.line == source[: source.index("$duration {")].count("\n") + 1


def test_an_unquoted_argument_is_refused_with_the_quotes_that_it_needs(reference_template: str) -> None:
    with pytest.raises(MigrationError, match=r'line 15: interval: quote the argument: "\{\{args.name\}\}"'):
        migrate(reference_template.replace("interval: 3m", "interval: {{args.window}}"), PLUGIN)


@pytest.mark.parametrize(
    ("provider", "what"),
    [
        ("provider: {skywalking: {interval: 3m}, web: {url: x}}", "Argo allows one"),
        ("provider: {skywalking: }", "is empty: it needs interval and query"),
        ("provider: {<<: *other}", "merged from elsewhere"),
    ],
)
def test_a_provider_that_argo_or_yaml_makes_no_sense_of_is_refused(
    reference_template: str, provider: str, what: str
) -> None:
    first = "  - {name: b, provider: &other {skywalking: {interval: 3m, query: '{ version }'}}}\n"
    source = (
        reference_template[: reference_template.index("provider:")].replace("metrics:\n", f"metrics:\n{first}")
        + provider
        + "\n"
    )

    with pytest.raises(MigrationError, match=what):
        migrate(source, PLUGIN)


def test_a_provider_of_others_may_be_merged(reference_template: str) -> None:
    first = "  - {name: b, provider: &other {web: {}}}\n  - {name: c, provider: {<<: *other}}\n"

    assert len(migrate(reference_template.replace("metrics:\n", f"metrics:\n{first}"), PLUGIN).metrics) == 1


def test_a_helm_template_is_refused_with_a_way_out(reference_template: str) -> None:
    with pytest.raises(MigrationError, match=r"line 4: is not YAML.*helm template"):
        migrate(reference_template.replace("name: apdex\nspec", "name: {{ .Values.name }}-x\nspec"), PLUGIN)
