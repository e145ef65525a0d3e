"""What a template says, read as Argo reads it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import TemplateError, parse_templates
from skywalking_provider.tools.check.template_args import (
    check_names,
    parse_arg_flags,
    resolve_argument_values,
    resolve_arguments,
)
from tests.tools.check.harness import PLUGIN, VANILLA, build_indicator_metric, build_template

ARGS = [{"name": "hash"}, {"name": "threshold", "value": "0.99"}]


def ask(text: str, *pairs: str, picked: tuple[str, ...] = ()) -> tuple[list[MetricToCheck], list[SkippedMetric]]:
    templates = parse_templates(text, "reviews.yaml")
    arguments = parse_arg_flags(pairs)
    check_names(arguments, templates)
    return select_metrics(templates, arguments, picked, PLUGIN)


def lines_of(text: str, *pairs: str, picked: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(TemplateError) as raised:
        ask(text, *pairs, picked=picked)
    return raised.value.lines


def block(question: MetricToCheck) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(question.metric.block)
    return read


def test_arguments_go_into_every_text_also_into_conditions_and_keys() -> None:
    metric = build_indicator_metric("result >= {{args.threshold}}", instances={"podTemplateHash": "{{ args.hash }}"})
    metric["provider"]["plugin"][PLUGIN]["{{args.hash}}"] = ["{{args.hash}}-{{args.threshold}}"]

    (question,), _ = ask(build_template(metric, args=ARGS), "hash=6c85f7bf4")

    assert question.metric.success_condition == "result >= 0.99"
    assert block(question)["instances"] == {"podTemplateHash": "6c85f7bf4"}
    assert block(question)["6c85f7bf4"] == ["6c85f7bf4-0.99"]


def test_the_command_line_goes_before_the_templates_own_value() -> None:
    (question,), _ = ask(
        build_template(build_indicator_metric("result >= {{args.threshold}}"), args=ARGS), "hash=a", "threshold=0.5"
    )

    assert question.metric.success_condition == "result >= 0.5"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_a_value_arrives_as_it_is_and_is_never_resolved_again(value: str) -> None:
    assert resolve_arguments("<{{args.a}}>{{ args.b }}", {"a": value, "b": "{{args.a}}"}, frozenset(), "x") == (
        f"<{value}>{{{{args.a}}}}"
    )


def test_all_missing_arguments_are_named_used_or_not() -> None:
    assert lines_of(build_template(build_indicator_metric(), args=[{"name": "hash"}, {"name": "unused"}])) == (
        (
            "reviews.yaml: AnalysisTemplate reviews: arguments without a value: hash, unused;"
            " give them: -a hash=… -a unused=…"
        ),
    )


def test_an_argument_of_a_secret_needs_no_value_until_it_is_used_in_our_block() -> None:
    secret = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]

    assert len(ask(build_template(build_indicator_metric(), args=secret))[0]) == 1
    (line,) = lines_of(build_template(build_indicator_metric(service="{{args.token}}"), args=secret))
    assert line.startswith(
        f"reviews.yaml: AnalysisTemplate reviews: metric success-rate: provider.plugin.{PLUGIN}.service:"
    )
    assert "SECRET_IN_BLOCK" in line


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{{args.hsh}}", "{{args.hsh}} is not an argument of the template. Did you mean hash?"),
        ("{{ inputs.x }}", "{{ inputs.x }} is not an argument of the template. Known arguments: hash, threshold."),
        ("{{args.hash", "an argument is not closed; write {{args.name}}"),
    ],
)
def test_what_argo_cannot_resolve_is_named_with_its_key(written: str, said: str) -> None:
    (line,) = lines_of(build_template(build_indicator_metric(endpoint=written), args=ARGS), "hash=a")

    assert line.endswith(f"metric success-rate: provider.plugin.{PLUGIN}.endpoint: {said}")


def test_a_value_that_argo_cannot_put_in_is_refused() -> None:
    (line,) = lines_of(build_template(build_indicator_metric(service="{{args.hash}}"), args=ARGS), "hash=\x1b[31m")

    assert "control character" in line


def test_mistakes_of_all_metrics_are_told_at_once() -> None:
    lines = lines_of(
        build_template(
            build_indicator_metric(service="{{args.a}}"), build_indicator_metric(name="b", service="{{args.b}}")
        )
    )

    assert [line.split("metric ")[1].split(":")[0] for line in lines] == ["success-rate", "b"]


def test_an_argument_that_no_template_declares_is_refused_with_the_nearest() -> None:
    assert lines_of(build_template(build_indicator_metric(), args=ARGS), "hsah=1") == (
        "-a hsah: not declared in spec.args. Did you mean hash?",
    )
    assert lines_of(build_template(build_indicator_metric()), "hash") == ("-a hash: is no name=value",)


def test_an_argument_is_text_as_in_kubernetes() -> None:
    assert "quote it" in lines_of(build_template(build_indicator_metric(), args=[{"name": "threshold", "value": 1}]))[0]


def test_metrics_of_others_are_skipped_and_said_so() -> None:
    others = [
        {"name": "up", "provider": {"prometheus": {"query": "{{args.nobody-asked}}"}}},
        {"name": "acme", "provider": {"plugin": {"acme/metrics": {}}}},
    ]

    questions, skipped = ask(build_template(*others, build_indicator_metric()))

    assert [one.metric.name for one in questions] == ["success-rate"]
    assert [(one.metric, one.reason) for one in skipped] == [
        ("up", "is of the provider prometheus"),
        ("acme", f"is of the plugin acme/metrics, not of {PLUGIN} (--plugin-name)"),
    ]


def test_a_metric_of_the_built_in_provider_is_measured_and_pointed_to_migrate() -> None:
    metric = {"name": "apdex", "provider": {"skywalking": {"interval": "3m", "query": "{ version }"}}}

    (question,), _ = ask(build_template(metric))

    assert block(question) == {"interval": "3m", "query": "{ version }"}
    assert "migrate -f reviews.yaml" in question.notes[0]


def test_only_the_picked_metrics_are_asked() -> None:
    text = build_template(build_indicator_metric(name="a"), build_indicator_metric(name="b"))

    assert [one.metric.name for one in ask(text, picked=("b",))[0]] == ["b"]
    assert lines_of(text, picked=("c",)) == ("--metric c: not in any template. Known metrics: a, b.",)


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({}, "provider: is missing"),
        ({"plugin": {}, "web": {}}, "provider: has plugin and web; Argo takes exactly one"),
        ({"plugin": {}}, "provider.plugin: is missing"),
        ({"plugin": {"a/b": {}, "c/d": {}}}, "provider.plugin: has a/b and c/d; Argo takes exactly one"),
    ],
)
def test_exactly_one_provider_is_asked_for(provider: dict[str, Any], said: str) -> None:
    (line,) = lines_of(build_template({"name": "m", "provider": provider}))

    assert line == f"reviews.yaml: AnalysisTemplate reviews: metric m: {said}"


def test_templates_are_found_in_lists_and_beside_other_objects() -> None:
    first = build_template(build_indicator_metric())
    both = f"kind: Service\napiVersion: v1\n---\n{first}---\n---\nkind: List\napiVersion: v1\nitems:\n- "
    both += first.replace("AnalysisTemplate", "ClusterAnalysisTemplate").replace("\n", "\n  ")

    assert [one.kind for one in parse_templates(both, "f")] == ["AnalysisTemplate", "ClusterAnalysisTemplate"]


def test_a_date_is_text_as_in_kubernetes() -> None:
    (question,), _ = ask(build_template(build_indicator_metric()).replace(f"service: {VANILLA}", "service: 2026-11-24"))

    assert block(question)["service"] == "2026-11-24"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "f:1: is not YAML"),
        (
            "a: 1\nservice: {{args.x}}",
            'f:2: is not YAML: found unhashable key; quote text that begins with an argument: "{{args.name}}"',
        ),
        ("kind: Service", "f: has no AnalysisTemplate and no ClusterAnalysisTemplate"),
        ("", "f: has no AnalysisTemplate and no ClusterAnalysisTemplate"),
        ("\x07", "f: is not YAML: unacceptable character"),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}",
            "f: AnalysisTemplate t: spec: is missing",
        ),
    ],
)
def test_what_is_no_template_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as raised:
        parse_templates(text, "f")
    assert raised.value.lines[0].startswith(said)


def test_templates_that_a_template_refers_to_are_said_not_to_be_followed() -> None:
    _, skipped = ask(build_template(build_indicator_metric(), templates=[{"templateName": "other"}]))

    assert skipped[0].metric == "spec.templates"


def test_values_are_only_asked_for_where_something_is_measured() -> None:
    (one,) = parse_templates(build_template(build_indicator_metric(), args=ARGS), "f")

    with pytest.raises(TemplateError):
        resolve_argument_values(one, {})
    assert resolve_argument_values(one, {"hash": "a"}) == {"hash": "a", "threshold": "0.99"}
