"""Bridge delivery by the release: the quick start, whose values for argo-rollouts are one plugin."""

from typing import Any

import yaml

from tests.install.install_tools import CHART, DEPLOYMENT, RELEASE, SIDECAR, render, run_tool, values_for_argo

SHA256 = "ab" * 32
URL = "https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking/releases/download"


def release_values(**changed: Any) -> dict[str, Any]:
    return {"bridge": {"delivery": "release", "release": {"sha256": {"linux-amd64": SHA256}} | changed}}


def test_release_delivery_writes_one_plugin_and_nothing_else() -> None:
    assert values_for_argo(RELEASE, release_values()) == {
        "controller": {
            "metricProviderPlugins": [
                {
                    "name": "skywalking/metrics",
                    "location": f"{URL}/v0.1.0/skywalking-bridge-linux-amd64",
                    "sha256": SHA256,
                    "args": [
                        "--address=dns:///skywalking-provider.argo-rollouts.svc:9500",
                        "--insecure",
                        "--outage-grace=5m",
                        "--run-timeout=15s",
                    ],
                }
            ]
        }
    }


def test_release_delivery_mirror_and_platform_change_the_location() -> None:
    changed = release_values(
        url="http://mirror.example.org/bridges", platform="linux-arm64", sha256={"linux-arm64": SHA256}
    )
    [plugin] = values_for_argo(RELEASE, changed)["controller"]["metricProviderPlugins"]

    assert plugin["location"] == "http://mirror.example.org/bridges/v0.1.0/skywalking-bridge-linux-arm64"
    assert plugin["sha256"] == SHA256


def test_release_delivery_with_mutual_tls_mounts_only_the_certificate() -> None:
    values = values_for_argo(DEPLOYMENT, release_values())

    assert values["controller"].keys() == {"metricProviderPlugins", "volumes", "volumeMounts"}
    assert [each["name"] for each in values["controller"]["volumes"]] == ["skywalking-provider-bridge-tls"]
    assert values["podSecurityContext"]["fsGroup"] == 999


def test_release_delivery_with_sidecar_copies_no_bridge() -> None:
    controller = values_for_argo(SIDECAR, release_values())["controller"]

    assert [each["name"] for each in controller["initContainers"]] == ["skywalking-provider"]
    assert "skywalking-provider-bridge" not in [each["name"] for each in controller["volumes"]]


def test_quick_start_moves_to_the_sidecar_and_back() -> None:
    first = values_for_argo(RELEASE)
    sidecar = values_for_argo(SIDECAR)

    def merge(values: Any, current: dict[str, Any], **changed: Any) -> dict[str, Any]:
        return values_for_argo(values, {"argoRollouts": {"currentValues": yaml.safe_dump(current)} | changed})

    assert merge(SIDECAR, first) == sidecar
    assert merge(RELEASE, sidecar)["controller"] | {"metricProviderPlugins": []} == {
        "metricProviderPlugins": [],
        "initContainers": [],
        "volumes": [],
        "volumeMounts": [],
    }
    assert merge(RELEASE, first, uninstall=True) == {"controller": {"metricProviderPlugins": []}}


def test_notes_print_the_values_that_the_second_command_adds() -> None:
    output = run_tool("helm", "install", "try", str(CHART), "--dry-run=client", "-n", "argo", f"--values={RELEASE}")
    notes = output[output.index("NOTES:") :]
    printed = notes[notes.index("   controller:") : notes.index("\n\n2. ")]

    assert yaml.safe_load(printed) == values_for_argo(RELEASE, release="try", namespace="argo")
    assert "get configmap try-skywalking-provider-values -o 'jsonpath={.data.values\\.yaml}' |" in notes
    assert "WARNING: tls.enabled is false." in notes
    assert "WARNING: bridge.delivery is release." in notes
    assert [line[:2] for line in notes.splitlines() if line[:1].isdigit()] == ["1.", "2."]


def test_default_image_is_the_published_one() -> None:
    def image(**given: str) -> str:
        spec = render(RELEASE, {"image": given}).get("Deployment")["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    digest = f"sha256:{SHA256}"
    assert image() == "ghcr.io/skywalking-provider/skywalking-provider:0.1.0"
    assert image(digest=digest) == f"ghcr.io/skywalking-provider/skywalking-provider@{digest}"
    assert image(repository="registry.example.org/copy", digest=digest) == f"registry.example.org/copy@{digest}"
