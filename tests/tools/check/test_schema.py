"""Tests of keys and types by the schema of Argo's CRDs."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skywalking_provider.tools.check.argo import schema
from skywalking_provider.tools.check.argo.schema import find_schema_problems

ROOT = Path(__file__).parents[3]
BLOCK = {"plugin": {"skywalking/metrics": {"any": {"keys": True}}}}


def problems(kind: str = "AnalysisTemplate", /, **spec: Any) -> list[tuple[str, bool]]:
    document = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "t"}, "spec": spec}
    return [(one.message, one.rejected) for one in find_schema_problems(document, kind)]


def metric(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "provider": BLOCK} | fields


def test_schema_is_that_of_the_bridges_version_of_argo() -> None:
    data = json.loads(Path(schema.__file__).with_name("crd_schema.json").read_text(encoding="utf-8"))
    (version,) = re.findall(r"argo-rollouts (v\S+)", (ROOT / "bridge/go.mod").read_text(encoding="utf-8"))

    assert data["source"] == f"github.com/argoproj/argo-rollouts {version} manifests/crds"
    assert list(data) == ["source", "AnalysisTemplate", "AnalysisRun"]


def test_schema_is_what_the_tool_reads_from_argos_crds() -> None:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    done = subprocess.run(
        [sys.executable, "tools/crd_schema.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "FileNotFoundError" in done.stderr:
        pytest.skip("the module of Argo Rollouts is not in Go's cache")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("sucessCondition", "successCondition"),
        ("failureCondtion", "failureCondition"),
        ("failurelimit", "failureLimit"),
        ("inconclusiveLimits", "inconclusiveLimit"),
        ("intervall", "interval"),
        ("cuont", "count"),
        ("nmae", "name"),
        ("initaldelay", "initialDelay"),
    ],
)
def test_misspelt_key_of_a_metric_is_rejected_with_the_right_one(key: str, known: str) -> None:
    assert problems(metrics=[metric(), metric(**{key: "1"})]) == [
        (f"unknown key spec.metrics[1].{key}. Did you mean {known}?", True)
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"metric": []}, "unknown key spec.metric. Did you mean metrics?"),
        ({"dryrun": []}, "unknown key spec.dryrun. Did you mean dryRun?"),
        ({"args": [{"name": "x", "vale": "1"}]}, "unknown key spec.args[0].vale. Did you mean value?"),
        ({"dryRun": [{"metricNames": "x", "metricName": "x"}]},
         "unknown key spec.dryRun[0].metricNames. Did you mean metricName?"),
        ({"metrics": [metric(provider={"skywalking": {"adress": "x"}})]},
         "unknown key spec.metrics[0].provider.skywalking.adress. Did you mean address?"),
        ({"metrics": [metric(provider={"plugins": {}})]},
         "unknown key spec.metrics[0].provider.plugins. Did you mean plugin?"),
        ({"metrics": [metric(dryRun=[])]}, "unknown key spec.metrics[0].dryRun. It belongs to spec"),
        ({"metrics": [metric(provider=BLOCK | {"count": 3})]},
         "unknown key spec.metrics[0].provider.count. It belongs to spec.metrics[0]"),
        ({"metrics": [metric(provider=BLOCK | {"successCondition": "true"})]},
         "unknown key spec.metrics[0].provider.successCondition. It belongs to spec.metrics[0]"),
    ],
)  # fmt: skip
def test_misspelt_or_misplaced_key_is_rejected_at_every_level(spec: dict[str, Any], expected: str) -> None:
    assert problems(**spec) == [(expected, True)]


def test_unknown_key_that_resembles_none_is_noted_as_a_newer_argo_may_have_it() -> None:
    hash_of_rollout = {"name": "x", "valueFrom": {"podTemplateHashValue": "Latest"}}
    first, second = problems(metrics=[metric(retries=3)], args=[hash_of_rollout])

    assert first[0].startswith("unknown key spec.metrics[0].retries, which Kubernetes removes. Known keys: consecutive")
    assert second[0] == (
        "unknown key spec.args[0].valueFrom.podTemplateHashValue, which Kubernetes removes."
        " Write it into the arguments of the Rollout's analysis"
    )
    assert (first[1], second[1]) == (False, False)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"metrics": {}}, "spec.metrics: is not a list. Begin each entry with -"),
        ({"metrics": [metric(interval=60)]}, "spec.metrics[0].interval: is not text. Quote it"),
        ({"metrics": [metric(successCondition=True)]}, "spec.metrics[0].successCondition: is not text. Quote it"),
        ({"metrics": [metric(count=1.5)]}, "spec.metrics[0].count: is not a whole number. Write one"),
        ({"metrics": [metric(count=True)]}, "spec.metrics[0].count: is not a whole number. Write one"),
        ({"metrics": [metric(count=1 << 31)]}, "spec.metrics[0].count: has more than 32 bits. Write a smaller one"),
        ({"metrics": [metric(provider=[])]}, "spec.metrics[0].provider: is not a mapping of keys. Write key: value"),
        ({"metrics": [{"name": "a"}]}, "spec.metrics[0].provider: is missing"),
        ({"metrics": [{"provider": BLOCK}]}, "spec.metrics[0].name: is missing"),
        ({"dryRun": [{}]}, "spec.dryRun[0].metricName: is missing"),
        ({"dryRun": [{"metricName": 1}]}, "spec.dryRun[0].metricName: is not text. Quote it"),
        ({"measurementRetention": [{"metricName": "a"}]}, "spec.measurementRetention[0].limit: is missing"),
        ({"measurementRetention": [{"metricName": "a", "limit": "3"}]},
         "spec.measurementRetention[0].limit: is not a whole number. Write it without quotes"),
        ({"templates": [{"clusterScope": "yes"}]},
         "spec.templates[0].clusterScope: is not true or false. Write one of them without quotes"),
    ],
)  # fmt: skip
def test_value_of_another_type_is_rejected(spec: dict[str, Any], expected: str) -> None:
    assert problems(**spec) == [(expected, True)]


def test_numbers_as_text_null_and_free_keys_are_accepted() -> None:
    assert problems(metrics=[metric(count="{{args.count}}", failureLimit=3, interval=None)]) == []
    job = {"spec": {"template": {"spec": {"containers": [{"nmae": "c"}]}}}, "metadata": {"labels": {"a": "b"}}}
    assert problems(metrics=[metric(provider={"job": job})]) == []


def test_keys_of_a_run_are_those_of_its_kind() -> None:
    run = {"metrics": [metric()], "terminate": True, "ttlStrategy": {"secondsAfterCompletion": 60}}

    assert problems("AnalysisRun", **run) == []
    assert [rejected for _, rejected in problems(**run)] == [False, False]
    assert problems("ClusterAnalysisTemplate", metrics=[metric(cuont=1)])[0][1]


def test_null_in_a_list_is_rejected_as_kubernetes_does() -> None:
    problems = find_schema_problems({"spec": {"metrics": [None], "dryRun": [None]}}, "AnalysisTemplate")

    assert [one.message for one in problems if one.rejected] == [
        "spec.metrics[0]: is not a mapping of keys. Write key: value",
        "spec.dryRun[0]: is not a mapping of keys. Write key: value",
    ]
