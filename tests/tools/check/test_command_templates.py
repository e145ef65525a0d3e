"""Tests of `skywalking-provider check` on whole files: dry runs, rejected templates, other objects, plurals."""

import pytest

from tests.tools.check.harness import build_indicator_metric, build_template, run_check, start_oap_at_noon

BAD = build_indicator_metric("result > 0.99", name="bad")
GOOD = build_indicator_metric("result > 0.5", name="good")
JOB = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: load-test}
spec:
  args: [{name: namespace}]
  metrics:
  - name: load
    provider: {job: {spec: {template: {spec: {containers: [{name: c, image: x, args: ["{{args.namespace}}"]}]}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: included}
spec: {templates: [{templateName: reviews}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec: {strategy: {canary: {analysis: {templates: [{templateName: reviews}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: shop}}
---
"""


async def test_check_dry_run_is_marked_and_does_not_make_the_exit_code() -> None:
    text = build_template(GOOD, BAD, dryRun=[{"metricName": "ba."}])
    all_in_dry_run = build_template(BAD, build_indicator_metric(name="typo", windo="1m"), dryRun=[{"metricName": ".*"}])
    counted = build_template(GOOD, BAD, dryRun=[{"metricName": "good"}])
    async with start_oap_at_noon() as oap:
        human = await run_check("-f", "-", "--address", oap.address, stdin=text)
        done = await run_check("-f", "-", "--address", oap.address, "-o", "json", stdin=all_in_dry_run)
        failed = await run_check("-f", "-", "--address", oap.address, "-o", "json", stdin=counted)

    lines = human.stdout.splitlines()
    assert "✖ bad  skywalking/metrics  dry run" in lines
    assert "✔ good  skywalking/metrics" in lines
    assert "  note       dry run: Argo does not count it" in lines
    assert lines[-1] == "✔ 1 Successful · ✖ 1 Failed in a dry run"
    assert (human.exit_code, done.exit_code, failed.exit_code) == (0, 0, 1)
    assert [(one["phase"], one["dryRun"], one["exitCode"]) for one in done.json_objects] == [
        ("Failed", True, 0),
        ("Error", True, 0),
    ]
    assert [one["dryRun"] for one in failed.json_objects] == [True, False]
    assert done.json_objects[0]["notes"][0] == "dry run: Argo does not count it"


async def test_check_file_with_other_objects_measures_its_templates_and_lists_the_rest() -> None:
    text = JOB + build_template(GOOD | {"successCondition": "result > 0.5"})
    async with start_oap_at_noon() as oap:
        human = await run_check("-f", "-", "--address", oap.address, stdin=text)
        done = await run_check("-f", "-", "--address", oap.address, "-o", "json", stdin=text)

    others = [
        "Rollout shop: skipped, its metrics are in the template reviews",
        "1 object of other kinds: skipped (Service)",
    ]
    assert (human.exit_code, done.exit_code) == (0, 0)
    assert [line for line in human.stdout.splitlines() if line.startswith("- ")] == [
        "- load: skipped, it uses the provider job",
        "- spec.templates: skipped, referenced templates are not read",
        *(f"- stdin: {line}" for line in others),
    ]
    assert human.stdout.splitlines()[-1] == "✔ 1 Successful · 2 skipped"
    assert done.stderr.splitlines()[2:] == [f"stdin: {line}" for line in others]
    assert [one["template"] for one in done.json_objects] == ["reviews"]


async def test_check_counts_are_singular_or_plural() -> None:
    text = build_template(*(build_indicator_metric("true", name=size, window=size) for size in ("1m", "2m")))
    async with start_oap_at_noon() as oap:
        done = await run_check("-f", "-", "--address", oap.address, stdin=text)

    titles = [line.partition(" · ")[2] for line in done.stdout.splitlines() if line.startswith("  buckets ")]
    assert titles == ["1 minute", "2 minutes"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            build_template(BAD | {"count": 3}),
            "metric bad: Argo rejects it: metrics[0]: interval must be specified when count > 1",
        ),
        (
            build_template(GOOD | {"sucessCondition": "result > 0.9"}),
            "unknown key spec.metrics[0].sucessCondition. Did you mean successCondition?",
        ),
        (
            build_template(GOOD).replace("name: reviews", "name: {{ .Values.name }}-x"),
            "It looks like a Helm template. Pipe its rendered form: helm template … | skywalking-provider check -f -",
        ),
    ],
    ids=["argo", "key", "helm"],
)
async def test_check_rejected_template_exits_with_two_before_any_request(text: str, expected: str) -> None:
    async with start_oap_at_noon() as oap:
        done = await run_check("-f", "-", "--address", oap.address, stdin=text)
        requests = list(oap.requests)

    assert (done.exit_code, done.stdout, requests) == (2, "", [])
    (line,) = done.stderr.splitlines()
    assert line.startswith("skywalking-provider: stdin:")
    assert line.endswith(expected)
