"""Files of the talk's Git repository: names, windows, conditions and limits of the talk, with shorter pauses."""

from typing import Any

import pytest
import yaml

from bench.talk.manifests import TALK, count_weights, divide_duration, render_files
from bench.talk.versions import FIRST, UPDATES, find_version
from bench.talk.ways import PAUSE_FACTOR, PLANS, Way

PLUGIN = "skywalking/metrics"


def load(way: Way, name: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(render_files(way, FIRST)[name]) if one["kind"] == kind]


def pauses(rollout: dict[str, Any]) -> list[str]:
    return [step["pause"]["duration"] for step in rollout["spec"]["strategy"]["canary"]["steps"] if "pause" in step]


@pytest.mark.parametrize("way", Way)
def test_versions_differ_only_in_the_image(way: Way) -> None:
    first, second = render_files(way, FIRST), render_files(way, UPDATES[0])
    changed = [name for name in first if first[name] != second[name]]

    assert changed == ["rollout.yaml" if way is Way.COMPARE else "deployment.yaml"]
    assert first[changed[0]].replace(FIRST.image, UPDATES[0].image) == second[changed[0]]


@pytest.mark.parametrize("way", [Way.HASH, Way.LABEL])
def test_talk_rollout_has_its_name_its_weights_and_divided_pauses(way: Way) -> None:
    [rollout] = load(way, "rollout.yaml", "Rollout")
    [talk] = [yaml.safe_load((TALK / "reference-rollout.yaml").read_text())]

    assert rollout["metadata"]["name"] == talk["metadata"]["name"] == PLANS[way].rollout
    assert count_weights(way) == [10, 20, 40, 60, 80]
    assert pauses(rollout) == [divide_duration(one) for one in pauses(talk)]
    assert divide_duration("10m") == f"{600 // PAUSE_FACTOR}s"


def test_label_way_keeps_window_condition_and_failure_limit_of_the_talk() -> None:
    [template] = load(Way.LABEL, "analysis.yaml", "AnalysisTemplate")
    talk = yaml.safe_load((TALK / "reference-analysis.yaml").read_text())
    [metric], [wanted] = template["spec"]["metrics"], talk["spec"]["metrics"]

    assert template["metadata"]["name"] == "apdex"
    assert metric["provider"]["plugin"][PLUGIN] == wanted["provider"]["skywalking"]
    for key in ("successCondition", "failureLimit"):
        assert metric[key] == wanted[key]


def test_hash_way_measures_success_rate_and_latency_until_the_end() -> None:
    templates = load(Way.HASH, "analysis.yaml", "AnalysisTemplate")
    [rollout] = load(Way.HASH, "rollout.yaml", "Rollout")
    analysis = rollout["spec"]["strategy"]["canary"]["analysis"]

    assert [one["templateName"] for one in analysis["templates"]] == [one["metadata"]["name"] for one in templates]
    metrics = [metric for one in templates for metric in one["spec"]["metrics"]]
    assert {metric["interval"] for metric in metrics} == {"1m"}
    assert not any("count" in metric for metric in metrics)


def test_compare_way_has_the_templates_of_the_example_and_divided_pauses() -> None:
    [rollout] = load(Way.COMPARE, "rollout.yaml", "Rollout")

    assert [one["metadata"]["name"] for one in load(Way.COMPARE, "analysis.yaml", "AnalysisTemplate")] == [
        "canary-step",
        "canary-background",
    ]
    assert pauses(rollout) == ["75s"]
    assert rollout["metadata"]["name"] == PLANS[Way.COMPARE].rollout


def test_image_that_belongs_to_no_version_is_an_error() -> None:
    assert find_version("reviews:v3-bad") is UPDATES[1]
    with pytest.raises(ValueError, match="image nginx belongs to no version"):
        find_version("nginx")
