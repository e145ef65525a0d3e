"""Rendering of the chart with the values of ci/, with Helm 3 and Helm 4."""

from pathlib import Path

import pytest

from tests.install.install_tools import (
    CHART,
    CI_VALUES,
    DEPLOYMENT,
    EVERYTHING,
    HELMS,
    KUBERNETES,
    OVER_HTTP,
    SIDECAR,
    RenderedObjects,
    helm_template,
    render,
    run_tool,
    values_id,
)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_chart_passes_helm_lint(values: Path, helm: str) -> None:
    output = run_tool(helm, "lint", str(CHART), "--strict", f"--values={values}", f"--kube-version={KUBERNETES}")

    assert "1 chart(s) linted, 0 chart(s) failed" in output
    assert "[WARNING]" not in output
    assert "[INFO]" not in output


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_chart_renders_the_same_with_both_helm_versions(values: Path) -> None:
    first, second = (RenderedObjects(helm_template(values, helm=helm)).all for helm in HELMS)
    for each in (*first, *second):  # differs on purpose: test_helm_test_pod_goes_after_its_log_is_read
        each["metadata"].get("annotations", {}).pop("helm.sh/hook-delete-policy", None)

    assert sorted(first, key=repr) == sorted(second, key=repr)


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_chart_objects_have_labels_and_namespace(values: Path) -> None:
    for each in render(values).all:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "skywalking-provider", each["kind"]
        name = "skywalking-provider-test" if each["kind"] == "Pod" else "skywalking-provider"
        assert labels["app.kubernetes.io/name"] == name
        assert each["metadata"]["namespace"] == "argo-rollouts"


def test_chart_sidecar_creates_no_workload() -> None:
    assert render(SIDECAR, arguments=("--no-hooks",)).kinds() == ["ConfigMap", "Service"]


def test_chart_deployment_creates_all_kinds() -> None:
    assert render(DEPLOYMENT).kinds() == [
        "Certificate",
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Issuer",
        "NetworkPolicy",
        "Pod",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    ]


def test_chart_extra_objects_are_templated() -> None:
    extra = {"extraObjects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-x"}}]}

    assert render(SIDECAR, extra).names("Secret") == ["skywalking-provider-x"]


def test_notes_list_three_steps() -> None:
    output = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", "-n", "argo", f"--values={SIDECAR}")
    notes = output[output.index("NOTES:") :]

    assert [line[:2] for line in notes.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert "helm upgrade argo-rollouts argo/argo-rollouts -n argo -f argo-rollouts-skywalking.yaml" in notes
    assert "helm test try -n argo --logs" in notes
    assert "WARNING" not in notes
    commands = [line.strip() for line in notes.splitlines() if line.startswith("   ")]
    upgraded, restarted, tested, *_ = (
        next(place for place, command in enumerate(commands) if command.startswith(begin))
        for begin in (
            "helm upgrade argo-rollouts",
            "kubectl -n argo rollout status deploy/argo-rollouts",
            "kubectl -n argo exec",
        )
    )
    assert upgraded < restarted < tested, "exec needs a pod with the sidecar"


def test_notes_wait_for_the_service_before_the_controller_downloads_from_it() -> None:
    output = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", "-n", "argo", f"--values={OVER_HTTP}")
    waits = output.index("kubectl -n argo rollout status deploy/try-skywalking-provider\n")

    assert waits < output.index("helm upgrade argo-rollouts argo/argo-rollouts -n argo")
    assert "upgrade this release with --wait" in output


def test_notes_without_tls_warn() -> None:
    output = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", f"--values={EVERYTHING}")

    assert "WARNING: tls.enabled is false." in output
