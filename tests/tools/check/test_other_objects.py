"""Tests of files with more than templates of ours: other objects, and templates of Helm charts."""

import pytest

from skywalking_provider.tools.check.other_objects import describe_other_objects
from skywalking_provider.tools.check.template import TemplateError, parse_file, parse_templates, require_templates
from skywalking_provider.tools.migrate import MigrationError, migrate
from skywalking_provider.tools.templates import find_helm_markup
from tests.tools.check.harness import PLUGIN, build_indicator_metric, build_template

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  strategy:
    canary:
      analysis: {templates: [{templateName: reviews}]}
      steps:
      - setWeight: 20
      - analysis: {templates: [{templateName: latency, clusterScope: true}]}
"""
EXPERIMENT = """
apiVersion: argoproj.io/v1alpha1
kind: Experiment
metadata: {name: compare}
spec: {analyses: [{name: purchase, templateName: reviews}]}
"""
OTHERS = """
{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {name: nightly}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: seed}}
---
{apiVersion: v1, kind: Service, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: shop-canary}}
"""
HINT = "It looks like a Helm template. Pipe its rendered form: helm template … | skywalking-provider"


def lines(*documents: str) -> list[str]:
    parsed = parse_file("\n---\n".join([build_template(build_indicator_metric()), *documents]), "f")
    return describe_other_objects(parsed.others, frozenset(one.name for one in parsed.templates))


def test_object_of_argo_is_skipped_with_the_templates_that_have_its_metrics() -> None:
    assert lines(ROLLOUT, EXPERIMENT) == [
        "Rollout shop: skipped, its metrics are in the templates reviews and latency. Check latency, too",
        "Experiment compare: skipped, its metrics are in the template reviews",
    ]


def test_other_objects_are_one_line() -> None:
    assert lines(OTHERS) == [
        "Workflow nightly: skipped, it has no metrics",
        "3 objects of other kinds: skipped (Job, Service)",
    ]
    assert lines("{apiVersion: v1, kind: Secret, metadata: {name: s}}") == ["1 object of other kinds: skipped (Secret)"]
    assert lines("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ROLLOUT.replace("latency", "apdex"),
            " Rollout shop: skipped, its metrics are in the templates reviews and apdex. Check reviews and apdex, too",
        ),
        (EXPERIMENT, " Experiment compare: skipped, its metrics are in the template reviews. Check reviews, too"),
        ("{apiVersion: batch/v1, kind: Job, metadata: {name: seed}}", ""),
    ],
)  # fmt: skip
def test_file_without_template_names_where_its_metrics_are(text: str, expected: str) -> None:
    with pytest.raises(TemplateError) as raised:
        parse_templates(text, "f")

    start = "f: has no AnalysisTemplate, ClusterAnalysisTemplate or AnalysisRun"
    assert raised.value.lines == (f"{start}.{expected}" if expected else start,)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("{{ .Values.interval }}", "{{ .Values.interval }}"),
        ("x-{{- .Release.Name -}}", "{{- .Release.Name -}}"),
        ('{{ include "shop.fullname" . }}', '{{ include "shop.fullname" . }}'),
        ("{{`{{ args.service }}`}}", "{{`{{ args.service }}"),
        ('{{ "{{" }} args.service {{ "}}" }}', '{{ "{{" }}'),
        ("{{ $.Values.x | quote }}", "{{ $.Values.x | quote }}"),
        ("{{- if .Values.enabled }}", "{{- if .Values.enabled }}"),
        ("{{/* a comment */}}", "{{/* a comment */}}"),
        ("{{ required `x` .Values.x }}", "{{ required `x` .Values.x }}"),
        ("{{ .Values.open", "{{ .Values.open"),
    ],
)
def test_markup_of_helm_is_recognised(written: str, shown: str) -> None:
    assert find_helm_markup(f"all {written}") == shown


@pytest.mark.parametrize(
    "written",
    ["{{args.x}}", "{{ args.end }}", "{{ args.if-x }}", "{{{args.id}}}", "{{inputs.x}}", "query { a { b } }", "{.x}"],
)  # fmt: skip
def test_arguments_of_argo_are_not_markup_of_helm(written: str) -> None:
    assert find_helm_markup(written) == ""


@pytest.mark.parametrize("old", ["name: reviews", "name: success-rate"])
def test_template_of_a_chart_is_named_as_such_by_check_and_migrate(old: str) -> None:
    text = build_template(build_indicator_metric()).replace(old, "name: {{ .Values.name }}-x")

    with pytest.raises(TemplateError) as checked:
        parse_file(text, "f")
    with pytest.raises(MigrationError) as migrated:
        migrate(text, PLUGIN)

    assert checked.value.lines[0].endswith(f". {HINT} check -f -")
    assert migrated.value.message.endswith(f". {HINT} migrate -f -, or edit the template by hand.")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("name: reviews", 'name: "{{ .Release.Name }}-x"', "metadata.name: {{ .Release.Name }}"),
        ("window: 5m", 'window: "{{ .Values.window }}"',
         f"spec.metrics[0].provider.plugin.{PLUGIN}.window: {{{{ .Values.window }}}}"),
        ("name: success-rate", "name: '{{ tpl .x . }}'", "spec.metrics[0].name: {{ tpl .x . }}"),
    ],
)  # fmt: skip
def test_quoted_markup_of_helm_is_not_taken_for_an_argument(old: str, new: str, place: str) -> None:
    with pytest.raises(TemplateError) as raised:
        parse_file(build_template(build_indicator_metric()).replace(old, new), "f")

    (line,) = raised.value.lines
    assert f": {place} is not an argument of Argo. {HINT} check -f -" in line


def test_file_without_template_is_accepted_beside_one_with_a_template() -> None:
    rollout = parse_file(ROLLOUT, "rollout.yaml")
    analysis = parse_file(build_template(build_indicator_metric()), "analysis.yaml")

    assert [one.name for one in require_templates([rollout, analysis])] == ["reviews"]
    with pytest.raises(TemplateError) as raised:
        require_templates([rollout, parse_file("", "empty.yaml")])
    assert [line.split(":")[0] for line in raised.value.lines] == ["rollout.yaml", "empty.yaml"]
