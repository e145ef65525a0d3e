"""The objects of the scenes: the talk's files with every time divided by one factor, and shorter ones of our own."""

import re
from pathlib import Path
from typing import Any

import yaml
from e2e_kubectl import Kubectl, Object
from e2e_lab import MANIFESTS, PLUGIN, Lab, Say
from e2e_stage import Scene, alone
from e2e_story import ROLLOUT, Story, Until

# The talk's minutes in two seconds each: ten seconds between two decisions are enough for two shared cores.
FACTOR = 30
UNITS = {"s": 1, "m": 60, "h": 3600}


def manifest(name: str) -> list[Object]:
    return [one for one in yaml.safe_load_all(Path(MANIFESTS / name).read_text()) if one]


def divided(duration: str, factor: int = FACTOR) -> str:
    """`5m` becomes `10s`."""
    seconds = sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([smh])", duration))
    assert seconds % factor == 0, f"{duration} is no whole number of seconds when divided by {factor}"
    return f"{seconds // factor}s"


def talk_analysis(factor: bool = True) -> Object:
    """The talk's template with its block moved under the plugin's name; the block itself is untouched."""
    [template] = manifest("talk-analysis.yaml")
    for metric in template["spec"]["metrics"]:
        metric["provider"] = {"plugin": {PLUGIN: metric["provider"]["skywalking"]}}
        if factor:
            metric["interval"] = divided(metric["interval"])
    return template


def counted_analysis(count: int, interval: str) -> Object:
    """The talk's template, asked so many times: a step that waits for it ends by itself."""
    template = talk_analysis(factor=False)
    for metric in template["spec"]["metrics"]:
        metric |= {"count": count, "interval": interval}
    return template


def talk_rollout(service: str) -> Object:
    """The talk's own rollout with its pauses divided, judged by this service."""
    [rollout] = manifest("talk-rollout.yaml")
    return in_background(rollout, service, FACTOR)


def watched_rollout(service: str, factor: int) -> Object:
    """A shorter one of our own with an analysis in the background, its pauses divided."""
    [rollout] = manifest("watched-rollout.yaml")
    return in_background(rollout, service, factor)


def in_background(rollout: Object, service: str, factor: int) -> Object:
    canary = rollout["spec"]["strategy"]["canary"]
    canary["analysis"]["args"] = [{"name": "service-name", "value": service}]
    for step in canary["steps"]:
        if "pause" in step:
            step["pause"]["duration"] = divided(step["pause"]["duration"], factor)
    return rollout


def stepped_rollout(service: str) -> Object:
    """A rollout of our own that passes its first step when the analysis is Successful."""
    [rollout] = manifest("stepped-rollout.yaml")
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if "analysis" in step:
            step["analysis"]["args"] = [{"name": "service-name", "value": service}]
    return rollout


def analysis_run(name: str, service: str, template: Object) -> Object:
    """A run of a template without any rollout."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name},
        "spec": {"args": [{"name": "service-name", "value": service}], "metrics": template["spec"]["metrics"]},
    }


def begin(lab: Lab, namespace: str, rollout: Object, template: Object, say: Say) -> Story:
    """Bring a rollout up at its first revision and update it: the story begins where the canary does."""
    return alone(begun(lab, namespace, rollout, template, say))


def begun(lab: Lab, namespace: str, rollout: Object, template: Object, say: Say) -> Scene:
    """The same as the beginning of a scene."""
    kubectl = lab.kubectl.within(namespace)
    name = rollout["metadata"]["name"]
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    kubectl.apply([*manifest("mesh.yaml"), template, rollout])
    story = Story(kubectl, name, "", say)
    before = yield Until(story, lambda now: now.promoted and now.stable != "", 90, "the first revision to be Healthy")
    release(kubectl, rollout)
    story = Story(kubectl, name, before.stable, say)
    yield Until(story, lambda now: now.canary not in ("", before.stable), 30, "the update to be noticed")
    return story


def within(say: Say, scene: str) -> Say:
    """Its lines among those of other scenes."""
    return lambda text: say(f"{scene}: {text}")


def block_of(metric: Object) -> Object:
    block: Object = metric["provider"]["plugin"][PLUGIN]
    return block


def release(kubectl: Kubectl, rollout: Object) -> None:
    """A new revision of the pods, where the rollout takes its template from."""
    patch: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}}
    if "workloadRef" in rollout["spec"]:
        kubectl.merge("deployments.apps", rollout["spec"]["workloadRef"]["name"], patch)
    else:
        kubectl.merge(ROLLOUT, rollout["metadata"]["name"], patch)
