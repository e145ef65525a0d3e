"""Files of the Git repository: the talk's manifests and the examples, with their names, for one version."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.talk.mesh import APPLICATION_PORT, DRAIN, ENVOY_VOLUME, GATEWAY, Object, envoy_container
from bench.talk.versions import Version
from bench.talk.ways import PAUSE_FACTOR, Way

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "bookinfo"
TALK = ROOT / "tests" / "e2e" / "manifests"
PLUGIN = "skywalking/metrics"
REPLICAS = 2
"""Pods of the stable version. The talk has five; each pod of the lab has an Envoy of 60 MB."""
_LABEL_INTERVAL = "15s"
"""Interval of the talk's metric (5m there): four failures must fit between the first minute and the last step."""
_HASH_INTERVAL = "1m"
"""Interval of the thresholds (up to 5m in the example): a rollout with short pauses ends within two of five minutes."""
_UNITS = {"s": 1, "m": 60, "h": 3600}


def render_files(way: Way, version: Version) -> dict[str, str]:
    """Return the files of the repository's folder by their names."""
    service, account = _load(EXAMPLES / "service.yaml")
    virtual_service, destination_rule = _load(EXAMPLES / "mesh.yaml")
    virtual_service["spec"]["gateways"] = [GATEWAY]
    if way is Way.COMPARE:
        templates, [rollout] = _load(EXAMPLES / "analysis.yaml"), _load(EXAMPLES / "rollout.yaml")
        pod = rollout["spec"]["template"]
        names = ("kustomization.yaml", "namespace.yaml")
        files = {"rollout.yaml": [rollout]} | {name: _load(EXAMPLES / name) for name in names}
    else:
        templates, [rollout] = list(_render_templates(way)), _load(TALK / "reference-rollout.yaml")
        deployment = _deployment()
        pod = deployment["spec"]["template"]
        canary = rollout["spec"]["strategy"]["canary"]
        canary["trafficRouting"]["istio"]["virtualService"]["routes"] = ["primary"]
        if way is Way.HASH:
            canary["analysis"]["templates"] = [{"templateName": one["metadata"]["name"]} for one in templates]
            canary["analysis"]["args"] = [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
        files = {"deployment.yaml": [deployment], "rollout.yaml": [rollout]}
    pod["spec"]["containers"][0] |= {"image": version.image, "lifecycle": DRAIN}
    pod["spec"]["containers"].append(envoy_container("sidecar", "reviews", APPLICATION_PORT))
    pod["spec"].setdefault("volumes", []).append(ENVOY_VOLUME)
    rollout["spec"]["replicas"] = REPLICAS
    for step in rollout["spec"]["strategy"]["canary"]["steps"]:
        if duration := step.get("pause", {}).get("duration"):
            step["pause"]["duration"] = divide_duration(duration)
    files |= {
        "service.yaml": [service, account],
        "mesh.yaml": [virtual_service, destination_rule],
        "analysis.yaml": templates,
    }
    return {name: yaml.safe_dump_all(objects, sort_keys=False) for name, objects in sorted(files.items())}


def count_weights(way: Way) -> list[int]:
    """Return the weights of the rollout's steps in their order."""
    path = EXAMPLES / "rollout.yaml" if way is Way.COMPARE else TALK / "reference-rollout.yaml"
    [rollout] = _load(path)
    return [step["setWeight"] for step in rollout["spec"]["strategy"]["canary"]["steps"] if "setWeight" in step]


def divide_duration(duration: str) -> str:
    """Divide a duration by the factor of the pauses: `10m` becomes `150s`."""
    parts: list[tuple[str, str]] = re.findall(r"(\d+)([smh])", duration)
    seconds = sum(int(count) * _UNITS[unit] for count, unit in parts)
    if seconds % PAUSE_FACTOR:
        raise ValueError(f"{duration} divided by {PAUSE_FACTOR} is not a whole number of seconds. Use another factor.")
    return f"{seconds // PAUSE_FACTOR}s"


def _render_templates(way: Way) -> Iterator[Object]:
    if way is Way.LABEL:
        for template in _load(TALK / "reference-analysis.yaml"):
            for metric in template["spec"]["metrics"]:
                metric["provider"] = {"plugin": {PLUGIN: metric["provider"].pop("skywalking")}}
                metric["interval"] = _LABEL_INTERVAL
            yield template
        return
    for template in _load(EXAMPLES / "thresholds.yaml"):
        if template["metadata"]["name"] in ("success-rate-threshold", "latency-threshold"):
            for metric in template["spec"]["metrics"]:
                del metric["count"]  # measured until the last step has ended
                metric["interval"] = _HASH_INTERVAL
            yield template


def _deployment() -> Object:
    """Return the Deployment that the talk's Rollout refers to. Its own pods are scaled to zero, as Argo documents."""
    labels = {"app": "reviews", "cluster": "cluster-1"}
    container = {"name": "reviews", "ports": [{"containerPort": 9080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "reviews"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "reviews"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": "bookinfo-reviews", "containers": [container]},
            },
        },
    }


def _load(path: Path) -> list[Object]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]
