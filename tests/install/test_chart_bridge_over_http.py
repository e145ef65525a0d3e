"""Bridge delivery by HTTP, for controllers that download their plugins."""

import yaml

from tests.install.install_tools import DEPLOYMENT, SIDECAR, pod_specs, render


def test_http_delivery_sets_sha256_and_serves_earlier_images() -> None:
    digest = "ab" * 32
    over_http = {
        "bridge": {
            "delivery": "http",
            "http": {
                "version": "0.0.9",
                "sha256": digest,
                "keepFrom": ["registry.example.org/skywalking-provider:0.0.9"],
            },
        }
    }
    objects = render(DEPLOYMENT, over_http)

    [pod] = pod_specs(objects)
    assert [(each["image"], each["args"]) for each in pod["initContainers"]] == [
        ("registry.example.org/skywalking-provider:0.0.9", ["bridge", "--all-to", "/bridges"]),
        ("registry.example.org/skywalking-provider:0.1.0", ["bridge", "--all-to", "/bridges"]),
    ]
    config = yaml.safe_load(objects.get("ConfigMap")["data"]["config.yaml"])
    assert config["http"]["bridges"] == "/bridges"
    values = yaml.safe_load(objects.get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]
    assert plugin["location"] == ("http://skywalking-provider-http.argo-rollouts.svc:9464/bridge/0.0.9/linux-amd64")
    assert plugin["sha256"] == digest
    assert "initContainers" not in values["controller"]


def test_http_delivery_is_off_by_default() -> None:
    for values in (SIDECAR, DEPLOYMENT):
        config = yaml.safe_load(render(values).get("ConfigMap")["data"]["config.yaml"])
        assert "bridges" not in config["http"]
