"""Tests of the inspection of whole templates: rejections in Argo's words, notes and dry runs."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.tools.check.selection import MetricToCheck, SkippedMetric, select_metrics
from skywalking_provider.tools.check.template import TemplateError, parse_templates
from tests.tools.check.harness import PLUGIN, build_indicator_metric, build_judged_metric, build_template

NO_CONDITION = "no condition: every result is Successful"
INDEFINITE = (
    "runs indefinitely: it has an interval and no count. Argo accepts that in a background analysis only;"
    " set count for a step, prePromotionAnalysis or postPromotionAnalysis"
)
DRY_RUN = "dry run: Argo does not count it"
REJECTS = "f: AnalysisTemplate reviews: Argo rejects it: "
REJECTS_METRIC = "f: AnalysisTemplate reviews: metric a: Argo rejects it: metrics[0]: "
GO = '. Write it in Go\'s notation, such as "90s", "3m" or "24h"'


def metric(**fields: Any) -> dict[str, Any]:
    return build_indicator_metric(name="a") | fields


def select(text: str, names: tuple[str, ...] = (), **values: str) -> tuple[list[MetricToCheck], list[SkippedMetric]]:
    return select_metrics(parse_templates(text, "f"), values, names, PLUGIN)


def error_lines(text: str, names: tuple[str, ...] = (), **values: str) -> tuple[str, ...]:
    with pytest.raises(TemplateError) as raised:
        select(text, names, **values)
    return raised.value.lines


def notes(text: str, **values: str) -> list[tuple[str, ...]]:
    return [one.notes for one in select(text, **values)[0]]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"count": 3}, "interval must be specified when count > 1"),
        ({"count": 2, "failureLimit": 5, "interval": "1m"},
         "count (2) must be >= failureLimit + consecutiveSuccessLimit (5 + 0) if both >= 0"),
        ({"count": 2, "inconclusiveLimit": 3, "interval": "1m"}, "count must be >= inconclusiveLimit"),
        ({"count": 2, "interval": "1m", "inconclusiveLimit": -1}, "inconclusiveLimit must be >= 0"),
        ({"failureLimit": -2}, "failureLimit must be >= 0, or -1 to be disabled"),
        ({"failureLimit": "-1"}, "failureLimit and consecutiveSuccessLimit cannot both be disabled"),
        ({"consecutiveErrorLimit": -1}, "consecutiveErrorLimit must be >= 0"),
        ({"interval": "1d"}, f'invalid interval string: time: unknown unit "d" in duration "1d"{GO}'),
        ({"interval": "60"}, f'invalid interval string: time: missing unit in duration "60"{GO}'),
        ({"initialDelay": "1 min"}, f'invalid startDelay string: time: unknown unit " min" in duration "1 min"{GO}'),
        ({"provider": {}}, "no provider specified"),
        ({"provider": {"plugin": {PLUGIN: {}, "x/y": {}}}}, "multiple providers specified"),
    ],
)  # fmt: skip
def test_metric_that_argo_rejects_is_rejected_in_its_words(fields: dict[str, Any], expected: str) -> None:
    assert error_lines(build_template(metric(**fields))) == (f"{REJECTS_METRIC}{expected}",)


def test_all_metrics_that_argo_rejects_are_named() -> None:
    others = [{"name": "b", "count": 2, "provider": {"web": {"url": "http://a"}}}, metric()]

    assert error_lines(build_template(metric(), *others)) == (
        "f: AnalysisTemplate reviews: metric b: Argo rejects it: metrics[1]: interval must be specified when count > 1",
        "f: AnalysisTemplate reviews: metric a: Argo rejects it: metrics[2]: duplicate name 'a'",
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"metrics": []}, "no metrics specified. Add spec.metrics"),
        ({"dryRun": [{"metricName": "nothing"}]},
         "dryRun[0]: Rule didn't match any metric name(s). Known metrics: a."),
        ({"dryRun": [{"metricName": "*"}]}, "dryRun[0]: Rule didn't match any metric name(s). Known metrics: a."),
        ({"dryRun": [{"metricName": "a"}, {"metricName": "a"}]},
         "two Dry-Run metric rules have the same name 'a'. Remove one of them"),
        ({"measurementRetention": [{"metricName": "b", "limit": 3}]},
         "measurementRetention[0]: Rule didn't match any metric name(s). Known metrics: a."),
        ({"args": [{"name": "x", "value": "1"}, {"name": "x", "value": "2"}]},
         "Argument `x` specified multiple times with different values: '1', '2'. Keep one of them"),
    ],
)  # fmt: skip
def test_template_that_argo_rejects_is_rejected_in_its_words(spec: dict[str, Any], expected: str) -> None:
    assert error_lines(build_template(metric(), **spec)) == (f"{REJECTS}{expected}",)


def test_misspelt_key_is_rejected_before_argos_validation() -> None:
    text = build_template({key.replace("ucc", "uc"): value for key, value in metric(count=3).items()})

    assert error_lines(text) == (
        "f: AnalysisTemplate reviews: unknown key spec.metrics[0].sucessCondition. Did you mean successCondition?",
    )


def test_values_of_arguments_are_validated() -> None:
    text = build_template(
        metric(interval="{{args.interval}}", count="{{ args.count }}"), args=[{"name": "interval"}, {"name": "count"}]
    )

    assert notes(text, interval="1m", count="3") == [()]
    assert error_lines(text, interval="1d", count="3") == (
        f'{REJECTS_METRIC}invalid interval string: time: unknown unit "d" in duration "1d"{GO}',
    )
    assert notes(text, interval="1m", count="many") == [
        (INDEFINITE, 'count: "many" is not a number. Argo reads it as 0')
    ]


def test_rules_of_a_template_with_referenced_templates_may_match_their_metrics() -> None:
    text = build_template(metric(), templates=[{"templateName": "b"}], dryRun=[{"metricName": "b"}])

    ((target,), _) = select(text)
    assert not target.dry_run


def test_only_templates_of_selected_metrics_are_inspected() -> None:
    text = f"{build_template(metric(count=3))}---\n{build_template(build_indicator_metric(name='b'))}"

    assert [one.metric.name for one in select(text, ("b",))[0]] == ["b"]
    assert len(error_lines(text)) == 1


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([".*"], ["a", "ab", "b"]),
        (["a"], ["a", "ab"]),
        (["^a$"], ["a"]),
        (["b$"], ["ab", "b"]),
        (["^b$", "^ab$"], ["ab", "b"]),
        ([], []),
    ],
)
def test_dry_run_rules_match_parts_of_names_as_argo_does(rules: list[str], expected: list[str]) -> None:
    metrics = [build_indicator_metric(name=name) for name in ("a", "ab", "b")]

    selected, _ = select(build_template(*metrics, dryRun=[{"metricName": rule} for rule in rules]))

    assert [one.metric.name for one in selected if one.dry_run] == expected
    assert [one.metric.name for one in selected if DRY_RUN in one.notes] == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ()),
        ({"interval": "1m", "count": 3}, ()),
        ({"interval": "1m"}, (INDEFINITE,)),
        ({"interval": "1m", "count": 0}, (INDEFINITE,)),
        ({"failureLimit": "three"}, ('failureLimit: "three" is not a number. Argo reads it as 0',)),
        ({"inconclusiveLimit": "1.5"}, ('inconclusiveLimit: "1.5" is not a number. Argo reads it as 0',)),
        ({"successCondition": ""}, (NO_CONDITION,)),
        ({"successCondition": None, "interval": "1m"}, (NO_CONDITION, INDEFINITE)),
        ({"successCondition": "", "failureCondition": "result < 1"}, ()),
    ],
)
def test_surprising_fields_of_a_metric_are_noted(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert notes(build_template(metric(**fields))) == [expected]


def test_condition_in_the_block_is_a_condition() -> None:
    one = metric(successCondition="")
    one["provider"]["plugin"][PLUGIN]["conditions"] = {"language": "cel", "success": "result > 0.9"}

    assert notes(build_template(one)) == [()]


def test_block_of_alarms_needs_no_condition() -> None:
    one = metric(successCondition="")
    one["provider"]["plugin"][PLUGIN] = {"alarms": {}, "window": "5m", "service": "reviews.bookinfo"}

    assert notes(build_template(one)) == [()]


@pytest.mark.parametrize("judged", [{"objective": 0.99}, {"compare": {"service": "stable.bookinfo"}}])
def test_judged_block_needs_no_condition(judged: dict[str, Any]) -> None:
    one = metric(successCondition="")
    one["provider"]["plugin"][PLUGIN] = {"sli": "success-rate", "service": "reviews.bookinfo"} | judged

    assert notes(build_template(one)) == [()]


@pytest.mark.parametrize(
    ("fields", "block", "expected"),
    [
        ({"interval": "1m", "count": 3}, {}, ()),
        ({"interval": "30s", "count": 3}, {}, ()),
        ({"interval": "90s", "count": 3}, {},
         (("interval: 90s is longer than 1m: a fault is found later, and more looks do not abort healthy canaries."
          " Set interval to 1m"),)),
        ({"successCondition": "result.canary > 0.9"}, {},
         (("successCondition beside compare decides alone: no measurement waits for a finding. Remove it to let compare"
          " decide"),)),
        ({"failureCondition": "result.canary < 0.9"}, {"conditions": {"success": "true"}, "compare": None,
                                                       "objective": 0.99},
         (("failureCondition and conditions beside objective decide alone: no measurement waits for a finding."
          " Remove them to let objective decide"),)),
        ({}, {"conditions": {"success": "true"}},
         (("conditions beside compare decide alone: no measurement waits for a finding. Remove them to let compare"
          " decide"),)),
        ({"interval": "5m", "count": 3, "successCondition": "result > 0.9"}, {"compare": None}, ()),
    ],
)  # fmt: skip
def test_surprising_fields_of_a_judged_metric_are_noted(
    fields: dict[str, Any], block: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert notes(build_template(build_judged_metric(**block) | fields)) == [expected]


def test_interval_of_a_judged_metric_may_be_an_argument() -> None:
    text = build_template(
        build_judged_metric() | {"interval": "{{args.interval}}", "count": 3}, args=[{"name": "interval"}]
    )

    assert notes(text, interval="1m") == [()]
    assert notes(text, interval="2m")[0][0].startswith("interval: 2m is longer than 1m")


def test_unknown_key_is_noted_at_the_metric_that_has_it_or_at_all() -> None:
    metrics = [metric(retries=1), build_indicator_metric(name="b")]

    first, second = notes(build_template(*metrics, owner="me"))

    assert [one.split(",")[0] for one in first] == ["unknown key spec.metrics[0].retries", "unknown key spec.owner"]
    assert [one.split(",")[0] for one in second] == ["unknown key spec.owner"]


def test_run_is_measured_with_its_own_arguments() -> None:
    run = yaml.safe_load(build_template(metric(interval="1m", successCondition="result > {{args.least}}")))
    run |= {"kind": "AnalysisRun", "metadata": {"name": "reviews-2", "namespace": "bookinfo"}, "status": {"phase": "x"}}
    run["spec"]["args"] = [{"name": "least", "value": "0.9"}]

    ((target,), skipped) = select(yaml.safe_dump(run))

    assert (target.metric.success_condition, target.notes, skipped) == ("result > 0.9", (), [])
    assert (target.template.kind, target.template.namespace) == ("AnalysisRun", "bookinfo")
    assert select(yaml.safe_dump(run), least="0.5")[0][0].metric.success_condition == "result > 0.5"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["", "1m", "1d", "a", "{{args.a}}", "*"])
)
KEYS = st.sampled_from(
    [
        "name",
        "provider",
        "plugin",
        PLUGIN,
        "skywalking",
        "web",
        "url",
        "count",
        "interval",
        "failureLimit",
        "metricName",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
SPEC_KEYS = st.sampled_from(["metrics", "args", "dryRun", "measurementRetention", "templates", "terminate"])


@given(
    st.dictionaries(SPEC_KEYS, VALUES),
    st.lists(st.dictionaries(KEYS, VALUES), max_size=3),
    st.sampled_from(["AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"]),
)
def test_any_object_is_selected_or_rejected_with_its_place(
    spec: dict[str, Any], metrics: list[dict[str, Any]], kind: str
) -> None:
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "spec": {"metrics": metrics} | spec}

    lines: tuple[str, ...] = ()
    selected, skipped = [], []
    try:
        selected, skipped = select(yaml.safe_dump(document))
    except TemplateError as error:
        lines = error.lines
    assert lines or selected or skipped
    assert all(line.startswith(f"f: {kind} without a name: ") for line in lines)
