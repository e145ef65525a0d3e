"""Kubernetes objects of the tests: the reference canary with durations divided by a factor, and shorter rollouts."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.kubectl import Kubectl, Object
from tests.e2e.lab import MANIFESTS, PLUGIN, Lab, ProgressReporter
from tests.e2e.parallel_rollouts import RolloutScenario, run_scenario
from tests.e2e.rollout_timeline import ROLLOUT, RolloutTimeline, WaitCondition

# A minute of the reference manifests lasts 2 s. 10 s between two decisions are enough on two shared cores.
TIME_FACTOR = 30
UNITS = {"s": 1, "m": 60, "h": 3600}


def load_manifest(name: str) -> list[Object]:
    return [one for one in yaml.safe_load_all(Path(MANIFESTS / name).read_text()) if one]


def divide_duration(duration: str, factor: int = TIME_FACTOR) -> str:
    """Divide a duration: `5m` becomes `10s`."""
    seconds = sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([smh])", duration))
    assert seconds % factor == 0, f"{duration} divided by {factor} is not a whole number of seconds"
    return f"{seconds // factor}s"


def reference_analysis(factor: bool = True) -> Object:
    """Return the reference template with its block moved under the plugin's name.

    The minutes before the run are measured, because SkyWalking's minutes are not divided: a rollout of these tests is
    over before its first minute has closed.
    """
    [template] = load_manifest("reference-analysis.yaml")
    for metric in template["spec"]["metrics"]:
        metric["provider"] = {"plugin": {PLUGIN: metric["provider"]["skywalking"] | {"since": "window"}}}
        if factor:
            metric["interval"] = divide_duration(metric["interval"])
    return template


def analysis_with_count(count: int, interval: str) -> Object:
    """Return the reference template with a fixed count, so that a step that waits for it ends."""
    template = reference_analysis(factor=False)
    for metric in template["spec"]["metrics"]:
        metric |= {"count": count, "interval": interval}
    return template


def reference_rollout(service: str) -> Object:
    """Return the reference rollout with divided pauses, analysed by the metrics of this service."""
    [rollout] = load_manifest("reference-rollout.yaml")
    return configure_background_analysis(rollout, service, TIME_FACTOR)


def background_rollout(service: str, factor: int) -> Object:
    """Return a shorter rollout with a background analysis and divided pauses."""
    [rollout] = load_manifest("background-rollout.yaml")
    return configure_background_analysis(rollout, service, factor)


def configure_background_analysis(rollout: Object, service: str, factor: int) -> Object:
    canary = rollout["spec"]["strategy"]["canary"]
    canary["analysis"]["args"] = [{"name": "service-name", "value": service}]
    for step in canary["steps"]:
        if "pause" in step:
            step["pause"]["duration"] = divide_duration(step["pause"]["duration"], factor)
    return rollout


def rollout_with_analysis_step(service: str) -> Object:
    """Return a rollout whose first step passes when its analysis is Successful."""
    [rollout] = load_manifest("stepped-rollout.yaml")
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if "analysis" in step:
            step["analysis"]["args"] = [{"name": "service-name", "value": service}]
    return rollout


def build_analysis_run(name: str, service: str, template: Object) -> Object:
    """Build an AnalysisRun of a template without a rollout."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name},
        "spec": {"args": [{"name": "service-name", "value": service}], "metrics": template["spec"]["metrics"]},
    }


def start_rollout(
    lab: Lab, namespace: str, rollout: Object, template: Object, report_progress: ProgressReporter
) -> RolloutTimeline:
    """Deploy the first revision of a rollout, update it, and return the timeline from the update on."""
    return run_scenario(rollout_scenario(lab, namespace, rollout, [template], report_progress))


def rollout_scenario(
    lab: Lab, namespace: str, rollout: Object, templates: Sequence[Object], report_progress: ProgressReporter
) -> RolloutScenario:
    """Do the same as the first part of a scenario."""
    kubectl = lab.kubectl.in_namespace(namespace)
    name = rollout["metadata"]["name"]
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    kubectl.apply([*load_manifest("mesh.yaml"), *templates, rollout])
    timeline = RolloutTimeline(kubectl, name, "", report_progress)
    before = yield WaitCondition(
        timeline, lambda now: now.promoted and now.stable != "", 90, "the first revision to be Healthy"
    )
    release(kubectl, rollout)
    timeline = RolloutTimeline(kubectl, name, before.stable, report_progress)
    yield WaitCondition(
        timeline, lambda now: now.canary not in ("", before.stable), 30, "the controller to observe the update"
    )
    return timeline


def prefix_progress(report_progress: ProgressReporter, scenario: str) -> ProgressReporter:
    """Return a reporter that prefixes its lines with the scenario's name."""
    return lambda text: report_progress(f"{scenario}: {text}")


def get_block(metric: Object) -> Object:
    block: Object = metric["provider"]["plugin"][PLUGIN]
    return block


def release(kubectl: Kubectl, rollout: Object) -> None:
    """Change the pod template, in the rollout or in the Deployment that it references."""
    patch: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {"release": "2"}}}}}
    if "workloadRef" in rollout["spec"]:
        kubectl.merge("deployments.apps", rollout["spec"]["workloadRef"]["name"], patch)
    else:
        kubectl.merge(ROLLOUT, rollout["metadata"]["name"], patch)
