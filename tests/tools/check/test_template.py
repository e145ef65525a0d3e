"""Tests of reading templates and replacing arguments as Argo does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import TemplateError, parse_templates
from skywalking_provider.tools.check.template_args import check_names, parse_arg_flags, resolve_arguments
from tests.tools.check.harness import PLUGIN, VANILLA, build_indicator_metric, build_template

ARGS = [{"name": "hash"}, {"name": "threshold", "value": "0.99"}]


def select(text: str, *pairs: str, names: tuple[str, ...] = ()) -> tuple[list[MetricToCheck], list[SkippedMetric]]:
    templates = parse_templates(text, "reviews.yaml")
    arguments = parse_arg_flags(pairs)
    check_names(arguments, templates)
    return select_metrics(templates, arguments, names, PLUGIN)


def error_lines(text: str, *pairs: str, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(TemplateError) as raised:
        select(text, *pairs, names=names)
    return raised.value.lines


def block(target: MetricToCheck) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(target.metric.block)
    return read


def test_arguments_are_replaced_in_texts_conditions_and_keys() -> None:
    metric = build_indicator_metric("result >= {{args.threshold}}", instances={"podTemplateHash": "{{ args.hash }}"})
    metric["provider"]["plugin"][PLUGIN]["{{args.hash}}"] = ["{{args.hash}}-{{args.threshold}}"]

    (target,), _ = select(build_template(metric, args=ARGS), "hash=6c85f7bf4")

    assert target.metric.success_condition == "result >= 0.99"
    assert block(target)["instances"] == {"podTemplateHash": "6c85f7bf4"}
    assert block(target)["6c85f7bf4"] == ["6c85f7bf4-0.99"]


def test_argument_of_command_line_overrides_template_default() -> None:
    (target,), _ = select(
        build_template(build_indicator_metric("result >= {{args.threshold}}"), args=ARGS), "hash=a", "threshold=0.5"
    )

    assert target.metric.success_condition == "result >= 0.5"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_argument_value_is_inserted_verbatim_and_once(value: str) -> None:
    assert resolve_arguments("<{{args.a}}>{{ args.b }}", {"a": value, "b": "{{args.a}}"}, frozenset(), "x") == (
        f"<{value}>{{{{args.a}}}}"
    )


def test_missing_arguments_of_measured_metrics_are_named_with_the_metrics_that_need_none() -> None:
    needs = [build_indicator_metric(name=name, service="{{ args.a }}", endpoint="{{args.b}}") for name in ("x", "y")]
    other = {"name": "job", "provider": {"web": {"url": "{{args.c}}"}}}
    args = [{"name": name} for name in "abc"]

    assert error_lines(build_template(*needs, other, args=args)) == (
        "reviews.yaml: AnalysisTemplate reviews: arguments without a value: a, b. Set them: -a a=… -a b=…",
    )
    assert error_lines(build_template(*needs, build_indicator_metric(name="z"), args=args), "a=1") == (
        "reviews.yaml: AnalysisTemplate reviews: argument without a value: b. Set it: -a b=…, or measure only -m z",
    )
    assert len(select(build_template(*needs, other, args=args), "a=1", "b=2")[0]) == 2
    assert len(select(build_template(*needs, build_indicator_metric(name="z"), args=args), names=("z",))[0]) == 1


@pytest.mark.parametrize("part", ["name", "successCondition", "interval", "count"])
def test_argument_that_no_measured_metric_uses_needs_no_value(part: str) -> None:
    other = {"name": "job", "provider": {"web": {"url": "http://a"}}, part: "{{args.a}}"}
    text = build_template(other, build_indicator_metric(), args=[{"name": "a"}, {"name": "unused"}])

    assert [one.metric.name for one in select(text)[0]] == ["success-rate"]


def test_secret_argument_needs_no_value_and_is_rejected_in_block() -> None:
    secret = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]

    assert len(select(build_template(build_indicator_metric(), args=secret))[0]) == 1
    (line,) = error_lines(build_template(build_indicator_metric(service="{{args.token}}"), args=secret))
    assert line.startswith(
        f"reviews.yaml: AnalysisTemplate reviews: metric success-rate: provider.plugin.{PLUGIN}.service:"
    )
    assert "SECRET_IN_BLOCK" in line


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{{args.hsh}}", "{{args.hsh}} is not an argument of the template. Did you mean hash?"),
        ("{{ inputs.x }}", "{{ inputs.x }} is not an argument of the template. Known arguments: hash, threshold."),
        ("{{args.hash", "an argument is not closed. Write {{args.name}}"),
        (
            "/x/{{{args.hash}}}",
            "Argo reads {{{args.hash}} as an argument named '{args.hash'. Put the outer braces into the value",
        ),
    ],
)
def test_unresolvable_argument_is_named_with_its_key(written: str, expected: str) -> None:
    (line,) = error_lines(build_template(build_indicator_metric(endpoint=written), args=ARGS), "hash=a")

    assert line.endswith(f"metric success-rate: provider.plugin.{PLUGIN}.endpoint: {expected}")


def test_argument_value_with_control_character_is_rejected() -> None:
    (line,) = error_lines(build_template(build_indicator_metric(service="{{args.hash}}"), args=ARGS), "hash=\x1b[31m")

    assert "control character" in line


def test_problems_of_all_metrics_are_reported_together() -> None:
    lines = error_lines(
        build_template(
            build_indicator_metric(service="{{args.a}}"), build_indicator_metric(name="b", service="{{args.b}}")
        )
    )

    assert [line.split("metric ")[1].split(":")[0] for line in lines] == ["success-rate", "b"]


def test_undeclared_argument_is_rejected_with_suggestion() -> None:
    assert error_lines(build_template(build_indicator_metric(), args=ARGS), "hsah=1") == (
        "-a hsah: not declared in spec.args. Did you mean hash?",
    )
    assert error_lines(build_template(build_indicator_metric()), "hash") == ("-a hash: is not name=value",)


def test_argument_default_must_be_text() -> None:
    assert (
        "Quote it" in error_lines(build_template(build_indicator_metric(), args=[{"name": "threshold", "value": 1}]))[0]
    )


def test_metrics_of_other_providers_are_skipped_and_listed() -> None:
    others = [
        {"name": "up", "provider": {"prometheus": {"query": "{{args.unknown-asked}}"}}},
        {"name": "acme", "provider": {"plugin": {"acme/metrics": {}}}},
    ]

    targets, skipped = select(build_template(*others, build_indicator_metric()))

    assert [one.metric.name for one in targets] == ["success-rate"]
    assert [(one.metric, one.reason) for one in skipped] == [
        ("up", "it uses the provider prometheus"),
        ("acme", f"it uses the plugin acme/metrics, not {PLUGIN} (--plugin-name)"),
    ]


def test_metric_of_built_in_provider_is_selected_with_note_on_migrate() -> None:
    metric = {"name": "apdex", "provider": {"skywalking": {"interval": "3m", "query": "{ version }"}}}

    (target,), _ = select(build_template(metric))

    assert block(target) == {"interval": "3m", "query": "{ version }"}
    assert "migrate -f reviews.yaml" in target.notes[0]


def test_select_metrics_by_name_ignores_other_metrics() -> None:
    text = build_template(build_indicator_metric(name="a"), build_indicator_metric(name="b"))

    assert [one.metric.name for one in select(text, names=("b",))[0]] == ["b"]
    assert error_lines(text, names=("c",)) == ("--metric c: not in any template. Known metrics: a, b.",)


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({}, "no provider specified"),
        ({"plugin": {}, "web": None}, "no provider specified"),
        ({"plugin": {"a/b": {}}, "web": {"url": "http://a"}}, "multiple providers specified"),
        ({"plugin": {"a/b": {}, "c/d": {}}}, "multiple providers specified"),
    ],
)
def test_metric_must_have_exactly_one_provider(provider: dict[str, Any], expected: str) -> None:
    (line,) = error_lines(build_template({"name": "m", "provider": provider}))

    assert line == f"reviews.yaml: AnalysisTemplate reviews: metric m: Argo rejects it: metrics[0]: {expected}"


def test_templates_are_found_in_lists_and_among_other_objects() -> None:
    first = build_template(build_indicator_metric())
    both = f"kind: Service\napiVersion: v1\n---\n{first}---\n---\nkind: List\napiVersion: v1\nitems:\n- "
    both += first.replace("AnalysisTemplate", "ClusterAnalysisTemplate").replace("\n", "\n  ")

    assert [one.kind for one in parse_templates(both, "f")] == ["AnalysisTemplate", "ClusterAnalysisTemplate"]


def test_date_in_yaml_is_text_as_in_kubernetes() -> None:
    (target,), _ = select(
        build_template(build_indicator_metric()).replace(f"service: {VANILLA}", "service: 2026-11-24")
    )

    assert block(target)["service"] == "2026-11-24"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "f:1: is not YAML"),
        (
            "a: 1\nservice: {{args.x}}",
            'f:2: is not YAML: found unhashable key. Quote text that begins with an argument: "{{args.name}}"',
        ),
        ("kind: Service", "f: has no AnalysisTemplate, ClusterAnalysisTemplate or AnalysisRun"),
        ("", "f: has no AnalysisTemplate, ClusterAnalysisTemplate or AnalysisRun"),
        ("\x07", "f: is not YAML: unacceptable character"),
        (
            "a: &a [*a]",
            "f: is too large: it expands to more than 200,000 values or 100 levels. Remove YAML aliases",
        ),
        (
            "\n".join(["a0: &a0 []", *(f"a{at}: &a{at} [*a{at - 1}, *a{at - 1}]" for at in range(1, 40))]),
            "f: is too large: it expands to more than 200,000 values or 100 levels. Remove YAML aliases",
        ),
        ("[" * 2000, "f: is not YAML: maximum recursion depth exceeded"),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}",
            "f: AnalysisTemplate t: spec: is missing",
        ),
    ],
)
def test_invalid_template_is_reported_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(TemplateError) as raised:
        parse_templates(text, "f")
    assert raised.value.lines[0].startswith(expected)


def test_referenced_templates_are_reported_as_skipped() -> None:
    _, skipped = select(build_template(build_indicator_metric(), templates=[{"templateName": "other"}]))

    assert skipped[0].metric == "spec.templates"
