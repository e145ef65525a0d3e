"""Pods of the chart: security context, scheduling, Services and probes."""

from pathlib import Path

import pytest
import yaml

from tests.install.install_tools import (
    CI_VALUES,
    DEPLOYMENT,
    EVERYTHING,
    find_by_name,
    pod_specs,
    render,
    values_id,
)


def test_pods_have_no_token_no_root_and_only_tmp_writable() -> None:
    objects = render(DEPLOYMENT)
    [pod] = pod_specs(objects)

    assert pod["automountServiceAccountToken"] is False
    assert objects.get("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "runAsUser": 999,
        "runAsGroup": 999,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]  # noqa: S108


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_pods_of_the_chart_have_no_variables_of_services(values: Path) -> None:
    objects = render(values)
    pods = pod_specs(objects) + [each["spec"] for each in objects.all if each["kind"] == "Pod"]

    assert pods
    assert all(pod["enableServiceLinks"] is False for pod in pods)


def test_replicas_are_spread_and_have_a_disruption_budget() -> None:
    objects = render(DEPLOYMENT, arguments=("--set=autoscaling.enabled=false",))
    deployment = objects.get("Deployment")
    [pod] = pod_specs(objects)
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert [constraint["topologyKey"] for constraint in pod["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for constraint in pod["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()
    budget = objects.get("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_autoscaler_enabled_removes_the_replica_count() -> None:
    objects = render(DEPLOYMENT)

    assert "replicas" not in objects.get("Deployment")["spec"]
    assert objects.get("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "skywalking-provider"


def test_service_is_headless() -> None:
    objects = render(DEPLOYMENT)
    service = objects.get("Service")["spec"]
    labels = objects.get("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert service["clusterIP"] == "None"
    assert service["ports"] == [{"name": "tls-grpc", "port": 9500, "targetPort": "grpc"}]
    assert service["selector"].items() <= labels.items()


def test_pods_have_http_probes() -> None:
    [pod] = pod_specs(render(DEPLOYMENT))
    [container] = pod["containers"]

    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}
    assert container["startupProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 9464}


def test_pods_have_all_configured_fields() -> None:
    objects = render(EVERYTHING)
    deployment = objects.get("Deployment")
    pod, values = deployment["spec"]["template"]["spec"], yaml.safe_load(EVERYTHING.read_text())
    [container] = pod["containers"]

    for key in ("imagePullSecrets", "tolerations", "affinity", "terminationGracePeriodSeconds"):
        assert pod[key] == values[key]
    assert deployment["spec"]["template"]["metadata"]["annotations"] == values["podAnnotations"]
    assert container["image"] == "registry.example.org/skywalking-provider:0.1.0-rc.1"
    assert container["args"][-1:] == values["extraArgs"]
    assert container["env"][-1:] == values["extraEnv"]
    assert container["volumeMounts"][-1:] == values["extraVolumeMounts"]
    assert find_by_name(pod["volumes"], "cache")
    service_ingress, metrics_ingress = objects.get("NetworkPolicy")["spec"]["ingress"]
    assert service_ingress["from"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "argo-rollouts"}}
    assert metrics_ingress["from"] == values["networkPolicy"]["monitoring"]
    assert objects.get("NetworkPolicy")["spec"]["egress"][-1:] == values["networkPolicy"]["extraEgress"]
