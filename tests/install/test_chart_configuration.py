"""The service accepts the configuration that the chart writes."""

from pathlib import Path
from typing import Any

import yaml

from skywalking_provider.config import load_config
from tests.config.kubelet import Port, Service, kubelet_variables
from tests.install.install_tools import (
    DEPLOYMENT,
    EVERYTHING,
    OVER_HTTP,
    SIDECAR,
    find_by_name,
    pod_specs,
    render,
)


def test_sidecar_configuration_is_accepted_by_the_service(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(SIDECAR).get("ConfigMap")["data"]["config.yaml"])

    config = load_config(file, {}, {})

    assert str(config.socket) == "/run/skywalking/provider.sock"
    assert config.socket_mode == 0o660
    assert config.http is not None
    assert config.http.listen == "0.0.0.0:9464"
    assert config.page is not None
    assert config.backends["prod"].basic is not None


def test_deployment_configuration_is_accepted_by_the_service(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(DEPLOYMENT).get("ConfigMap")["data"]["config.yaml"])

    config = load_config(file, {}, {})

    assert config.listen == "0.0.0.0:9500"
    assert not config.insecure
    assert config.tls is not None
    assert config.tls.allowed_identities == ("spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts",)


def test_existing_config_with_environment_is_accepted_by_the_service(tmp_path: Path) -> None:
    [pod] = pod_specs(render(OVER_HTTP))
    file = tmp_path / "config.yaml"
    file.write_text("backends: {prod: {url: http://oap:12800}}\ntls: {allowedIdentities: [bridge.example.org]}\n")

    config = load_config(file, {}, {each["name"]: each["value"] for each in pod["containers"][0]["env"]})

    assert config.tls is not None
    assert str(config.tls.cert_file) == "/etc/skywalking-provider/tls/tls.crt"
    assert config.tls.allowed_identities == ("bridge.example.org",)
    assert config.http is not None
    assert str(config.http.bridges) == "/bridges"


def test_existing_config_gets_the_charts_keys_by_environment() -> None:
    own = {"image": {"repository": "r"}, "existingConfig": {"secret": "mine", "key": "c.yaml"}, "mode": "deployment"}
    own["tls"] = {"certManager": {"enabled": True}}
    objects = render(own)

    assert objects.names("ConfigMap") == ["skywalking-provider-values"]
    [pod] = pod_specs(objects)
    assert find_by_name(pod["volumes"], "skywalking-provider-config")["secret"] == {
        "secretName": "mine",
        "items": [{"key": "c.yaml", "path": "config.yaml"}],
    }
    assert {each["name"]: each["value"] for each in pod["containers"][0]["env"]} == {
        "SWP_LISTEN": "0.0.0.0:9500",
        "SWP_HTTP__LISTEN": "0.0.0.0:9464",
        "SWP_PAGE__LISTEN": "127.0.0.1:9465",
        "SWP_TLS__CERT_FILE": "/etc/skywalking-provider/tls/tls.crt",
        "SWP_TLS__KEY_FILE": "/etc/skywalking-provider/tls/tls.key",
        "SWP_TLS__CLIENT_CA_FILE": "/etc/skywalking-provider/tls/ca.crt",
    }


def test_backend_keys_all_reach_the_service(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(EVERYTHING).get("ConfigMap")["data"]["config.yaml"])
    given = yaml.safe_load(EVERYTHING.read_text())["backends"]["prod"]

    config = load_config(file, {}, {})

    taken = config.model_dump(mode="json", by_alias=True)["backends"]["prod"]
    assert {key: taken[key] for key in given if key not in ("headers", "tls")} == {
        key: value for key, value in given.items() if key not in ("headers", "tls")
    }
    assert config.insecure
    assert config.page is None


def test_release_whose_services_look_like_variables_of_the_service_is_configured_as_any_other(tmp_path: Path) -> None:
    """The Services of a release called swp give the controller's pod variables that begin with SWP_."""
    objects = render(SIDECAR, release="swp")
    name = "swp-skywalking-provider"
    file = tmp_path / "config.yaml"
    file.write_text(objects.get("ConfigMap", name)["data"]["config.yaml"])
    [port] = objects.get("Service", f"{name}-http")["spec"]["ports"]
    service = Service(f"{name}-http", "10.96.12.7", (Port(port["name"], port["port"], "TCP"),))

    assert load_config(file, {}, dict(kubelet_variables(service))) == load_config(file, {}, {})


def test_configuration_change_restarts_the_pods() -> None:
    def environment(**changed: Any) -> list[dict[str, str]]:
        [pod] = pod_specs(render(DEPLOYMENT, changed))
        env: list[dict[str, str]] = pod["containers"][0]["env"]
        return env

    assert environment() == environment(replicaCount=5)
    assert environment() != environment(log={"level": "debug"})
