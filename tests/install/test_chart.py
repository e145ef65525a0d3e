"""What the chart makes of the values in ci/ as a whole, with both Helms that people run."""

from pathlib import Path

import pytest

from tests.install.install_tools import (
    CHART,
    CI_VALUES,
    DEPLOYMENT,
    EVERYTHING,
    HELMS,
    KUBERNETES,
    SIDECAR,
    RenderedObjects,
    helm_template,
    render,
    run_tool,
    values_id,
)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_helm_lint_finds_nothing(values: Path, helm: str) -> None:
    said = run_tool(helm, "lint", str(CHART), "--strict", f"--values={values}", f"--kube-version={KUBERNETES}")

    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert "[WARNING]" not in said
    assert "[INFO]" not in said


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_both_helms_make_the_same_of_the_values(values: Path) -> None:
    made, made_before = (RenderedObjects(helm_template(values, helm=helm)).all for helm in HELMS)

    assert sorted(made, key=repr) == sorted(made_before, key=repr)


@pytest.mark.parametrize("values", CI_VALUES, ids=values_id)
def test_every_object_says_whose_it_is(values: Path) -> None:
    for each in render(values).all:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "skywalking-provider", each["kind"]
        whose = "skywalking-provider-test" if each["kind"] == "Pod" else "skywalking-provider"
        assert labels["app.kubernetes.io/name"] == whose
        assert each["metadata"]["namespace"] == "argo-rollouts"


def test_beside_the_controller_nothing_runs_of_its_own() -> None:
    assert render(SIDECAR, arguments=("--no-hooks",)).kinds() == ["ConfigMap", "Service"]


def test_as_a_deployment_it_has_what_a_service_needs() -> None:
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


def test_further_objects_are_templated() -> None:
    extra = {"extraObjects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-x"}}]}

    assert render(SIDECAR, extra).names("Secret") == ["skywalking-provider-x"]


def test_the_next_commands_are_three() -> None:
    said = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", "-n", "argo", f"--values={SIDECAR}")
    notes = said[said.index("NOTES:") :]

    assert [line[:2] for line in notes.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert "helm upgrade argo-rollouts argo/argo-rollouts -n argo -f argo-rollouts-skywalking.yaml" in notes
    assert "helm test try -n argo --logs" in notes
    assert "WARNING" not in notes


def test_without_tls_the_notes_warn() -> None:
    said = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", f"--values={EVERYTHING}")

    assert "WARNING: tls.enabled is false." in said
