"""What the chart makes of the values in ci/, with both Helms that people run."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from install_tools import CHART, CI_VALUES, HELMS, KUBERNETES, Objects, named, render, run, template
from typer.testing import CliRunner

from skywalking_provider.cli import app
from skywalking_provider.config import load_config

DEPLOYMENT = CHART / "ci" / "deployment-values.yaml"
EVERYTHING = CHART / "ci" / "deployment-everything-values.yaml"
SIDECAR = CHART / "ci" / "sidecar-values.yaml"


def ids(path: Path) -> str:
    return path.name.removesuffix("-values.yaml")


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("values", CI_VALUES, ids=ids)
def test_helm_lint_finds_nothing(values: Path, helm: str) -> None:

    said = run(helm, "lint", str(CHART), "--strict", f"--values={values}", f"--kube-version={KUBERNETES}")

    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert "[WARNING]" not in said
    assert "[INFO]" not in said


@pytest.mark.parametrize("values", CI_VALUES, ids=ids)
def test_both_helms_make_the_same_of_the_values(values: Path) -> None:
    made, made_before = (Objects(template(values, helm=helm)).all for helm in HELMS)

    assert sorted(made, key=repr) == sorted(made_before, key=repr)


@pytest.mark.parametrize("values", CI_VALUES, ids=ids)
def test_every_object_says_whose_it_is(values: Path) -> None:
    for each in render(values).all:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "skywalking-provider", each["kind"]
        whose = "skywalking-provider-test" if each["kind"] == "Pod" else "skywalking-provider"
        assert labels["app.kubernetes.io/name"] == whose
        assert each["metadata"]["namespace"] == "argo-rollouts"


def pods(objects: Objects) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects.all if each["kind"] == "Deployment"]


def test_beside_the_controller_nothing_runs_of_its_own() -> None:
    assert render(SIDECAR, arguments=("--no-hooks",)).kinds() == ["ConfigMap", "Service"]


def test_the_service_takes_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(SIDECAR).one("ConfigMap")["data"]["config.yaml"])

    config = load_config(file, {}, {})

    assert str(config.socket) == "/run/skywalking/provider.sock"
    assert config.socket_mode == 0o660
    assert config.http is not None
    assert config.http.listen == "0.0.0.0:9464"
    assert config.page is not None
    assert config.backends["prod"].basic is not None


def test_the_service_of_a_deployment_takes_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(DEPLOYMENT).one("ConfigMap")["data"]["config.yaml"])

    config = load_config(file, {}, {})

    assert config.listen == "0.0.0.0:9500"
    assert not config.insecure
    assert config.tls is not None
    assert config.tls.allowed_identities == ("spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts",)


def test_a_configuration_of_ones_own_is_taken_with_what_the_environment_adds(tmp_path: Path) -> None:
    own = CHART / "ci" / "deployment-http-values.yaml"
    [pod] = pods(render(own))
    file = tmp_path / "config.yaml"
    file.write_text("backends: {prod: {url: http://oap:12800}}\ntls: {allowedIdentities: [bridge.example.org]}\n")

    config = load_config(file, {}, {each["name"]: each["value"] for each in pod["containers"][0]["env"]})

    assert config.tls is not None
    assert str(config.tls.cert_file) == "/etc/skywalking-provider/tls/tls.crt"
    assert config.tls.allowed_identities == ("bridge.example.org",)
    assert config.http is not None
    assert str(config.http.bridges) == "/bridges"


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


def test_its_pods_have_no_token_of_kubernetes_no_root_and_nothing_to_write_to_but_tmp() -> None:
    objects = render(DEPLOYMENT)
    [pod] = pods(objects)

    assert pod["automountServiceAccountToken"] is False
    assert objects.one("ServiceAccount")["automountServiceAccountToken"] is False
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


def test_its_replicas_are_spread_and_survive_a_drain() -> None:
    objects = render(DEPLOYMENT, arguments=("--set=autoscaling.enabled=false",))
    deployment = objects.one("Deployment")
    [pod] = pods(objects)
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert [constraint["topologyKey"] for constraint in pod["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for constraint in pod["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels.items()
    budget = objects.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_an_autoscaler_owns_the_replicas() -> None:
    objects = render(DEPLOYMENT)

    assert "replicas" not in objects.one("Deployment")["spec"]
    assert objects.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "skywalking-provider"


def test_the_service_shows_the_bridge_every_replica() -> None:
    objects = render(DEPLOYMENT)
    service = objects.one("Service")["spec"]
    labels = objects.one("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert service["clusterIP"] == "None"
    assert service["ports"] == [{"name": "tls-grpc", "port": 9500, "targetPort": "grpc"}]
    assert service["selector"].items() <= labels.items()


def test_pods_are_asked_over_http_whether_they_are_ready() -> None:
    [pod] = pods(render(DEPLOYMENT))
    [container] = pod["containers"]

    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}
    assert container["startupProbe"]["httpGet"] == {"path": "/readyz", "port": 9464}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 9464}


def test_only_the_controller_comes_in_and_only_dns_and_the_oaps_are_reached() -> None:
    policy = render(DEPLOYMENT).one("NetworkPolicy")["spec"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    asking, watching = policy["ingress"]
    assert asking["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "argo-rollouts"}},
            "podSelector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "argo-rollouts",
                    "app.kubernetes.io/component": "rollouts-controller",
                }
            },
        },
        {
            "podSelector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "skywalking-provider-test",
                    "app.kubernetes.io/instance": "skywalking-provider",
                }
            }
        },
    ]
    assert [port["port"] for port in asking["ports"]] == [9500]
    assert [port["port"] for port in watching["ports"]] == [9464]
    dns, oap = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [port["port"] for port in oap["ports"]] == [12800, 443]
    assert oap["to"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}},
        {"ipBlock": {"cidr": "203.0.113.0/24"}},
    ]


def test_cert_manager_gives_the_bridge_the_one_identity_that_may_ask() -> None:
    objects = render(DEPLOYMENT)
    config = yaml.safe_load(objects.one("ConfigMap")["data"]["config.yaml"])
    bridge = objects.one("Certificate", "skywalking-provider-bridge")["spec"]
    server = objects.one("Certificate", "skywalking-provider-server")["spec"]

    assert bridge["uris"] == config["tls"]["allowedIdentities"]
    assert bridge["uris"] == ["spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"]
    assert bridge["issuerRef"] == server["issuerRef"]
    assert "skywalking-provider.argo-rollouts.svc" in server["dnsNames"]
    [pod] = pods(objects)
    mounted = named(pod["volumes"], "skywalking-provider-tls")["secret"]["secretName"]
    assert mounted == server["secretName"]


def test_who_else_may_ask_does_not_lock_the_controller_out() -> None:
    def allowed(tls: dict[str, Any]) -> list[str]:
        config = yaml.safe_load(render(DEPLOYMENT, {"tls": tls}).one("ConfigMap")["data"]["config.yaml"])
        identities: list[str] = config["tls"]["allowedIdentities"]
        return identities

    bridge = "spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"
    own = {"certManager": {"enabled": False}, "serverSecret": "mine", "clientSecret": "its"}
    assert allowed({"allowedIdentities": ["ci.example.org"]}) == [bridge, "ci.example.org"]
    assert allowed({"allowedIdentities": [bridge]}) == [bridge]
    assert allowed(own | {"allowedIdentities": ["bridge.example.org"]}) == ["bridge.example.org"]
    assert allowed(own) == [bridge]


def test_own_secrets_take_the_place_of_cert_manager() -> None:
    own = {"tls": {"certManager": {"enabled": False}, "serverSecret": "mine", "clientSecret": "its"}}
    objects = render(DEPLOYMENT, own)

    assert "Certificate" not in objects.kinds()
    [pod] = pods(objects)
    assert named(pod["volumes"], "skywalking-provider-tls")["secret"]["secretName"] == "mine"
    values = yaml.safe_load(objects.one("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    assert named(values["controller"]["volumes"], "skywalking-provider-bridge-tls")["secret"]["secretName"] == "its"


def test_in_another_namespace_the_bridges_certificate_is_made_where_the_controller_is() -> None:
    elsewhere = {
        "argoRollouts": {"namespace": "argo-rollouts"},
        "tls": {"certManager": {"issuerRef": {"name": "corporate", "kind": "ClusterIssuer"}}},
    }
    objects = render(DEPLOYMENT, elsewhere, namespace="skywalking")
    bridge = objects.one("Certificate", "skywalking-provider-bridge")

    assert bridge["metadata"]["namespace"] == "argo-rollouts"
    assert bridge["spec"]["issuerRef"] == {"name": "corporate", "kind": "ClusterIssuer"}
    assert objects.names("Issuer") == []


def test_a_change_of_the_configuration_restarts_the_pods() -> None:
    def environment(**changed: Any) -> list[dict[str, str]]:
        [pod] = pods(render(DEPLOYMENT, changed))
        env: list[dict[str, str]] = pod["containers"][0]["env"]
        return env

    assert environment() == environment(replicaCount=5)
    assert environment() != environment(log={"level": "debug"})


def test_the_bridge_over_http_comes_with_its_sha256_and_earlier_images_stay_on_offer() -> None:
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

    [pod] = pods(objects)
    assert [(each["image"], each["args"]) for each in pod["initContainers"]] == [
        ("registry.example.org/skywalking-provider:0.0.9", ["bridge", "--all-to", "/bridges"]),
        ("registry.example.org/skywalking-provider:0.1.0", ["bridge", "--all-to", "/bridges"]),
    ]
    config = yaml.safe_load(objects.one("ConfigMap")["data"]["config.yaml"])
    assert config["http"]["bridges"] == "/bridges"
    values = yaml.safe_load(objects.one("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]
    assert plugin["location"] == ("http://skywalking-provider-http.argo-rollouts.svc:9464/bridge/0.0.9/linux-amd64")
    assert plugin["sha256"] == digest
    assert "initContainers" not in values["controller"]


def test_what_a_pod_may_get_it_gets() -> None:
    objects = render(EVERYTHING)
    deployment = objects.one("Deployment")
    pod, values = deployment["spec"]["template"]["spec"], yaml.safe_load(EVERYTHING.read_text())
    [container] = pod["containers"]

    for key in ("imagePullSecrets", "tolerations", "affinity", "terminationGracePeriodSeconds"):
        assert pod[key] == values[key]
    assert deployment["spec"]["template"]["metadata"]["annotations"] == values["podAnnotations"]
    assert container["image"] == "registry.example.org/skywalking-provider:0.1.0-rc.1"
    assert container["args"][-1:] == values["extraArgs"]
    assert container["env"][-1:] == values["extraEnv"]
    assert container["volumeMounts"][-1:] == values["extraVolumeMounts"]
    assert named(pod["volumes"], "cache")
    asking, watching = objects.one("NetworkPolicy")["spec"]["ingress"]
    assert asking["from"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "argo-rollouts"}}
    assert watching["from"] == values["networkPolicy"]["monitoring"]
    assert objects.one("NetworkPolicy")["spec"]["egress"][-1:] == values["networkPolicy"]["extraEgress"]


def test_every_key_of_a_backend_reaches_the_service(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(render(EVERYTHING).one("ConfigMap")["data"]["config.yaml"])
    given = yaml.safe_load(EVERYTHING.read_text())["backends"]["prod"]

    config = load_config(file, {}, {})

    taken = config.model_dump(mode="json", by_alias=True)["backends"]["prod"]
    assert {key: taken[key] for key in given if key not in ("headers", "tls")} == {
        key: value for key, value in given.items() if key not in ("headers", "tls")
    }
    assert config.insecure
    assert config.page is None


def test_without_tls_the_notes_warn() -> None:
    said = run("helm", "install", "try", str(CHART), "--dry-run=client", f"--values={EVERYTHING}")

    assert "WARNING: tls.enabled is false." in said


def test_the_bridge_over_http_is_off_unless_asked_for() -> None:
    for values in (SIDECAR, DEPLOYMENT):
        config = yaml.safe_load(render(values).one("ConfigMap")["data"]["config.yaml"])
        assert "bridges" not in config["http"]


def test_prometheus_finds_metrics_in_both_ways() -> None:
    for values in (SIDECAR, DEPLOYMENT):
        objects = render(values, arguments=("--set=metrics.serviceMonitor.enabled=true",))
        monitor = objects.one("ServiceMonitor")["spec"]
        service = objects.one("Service", "skywalking-provider-http")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [port["name"] for port in service["spec"]["ports"]] == [monitor["endpoints"][0]["port"]]


def test_the_rules_and_the_dashboard_are_the_charts_files() -> None:
    objects = render(DEPLOYMENT)
    rules = [yaml.safe_load(file.read_text()) for file in sorted((CHART / "alerts").glob("*.yaml"))]
    dashboards = {file.name: json.loads(file.read_text()) for file in (CHART / "dashboards").glob("*.json")}
    shown = objects.one("ConfigMap", "skywalking-provider-dashboard")

    groups = objects.one("PrometheusRule")["spec"]["groups"]
    assert groups == [group for each in rules for group in each["groups"]]
    assert groups
    assert {name: json.loads(text) for name, text in shown["data"].items()} == dashboards
    assert dashboards
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_a_configuration_of_ones_own_gets_the_charts_keys_by_the_environment() -> None:
    own = {"image": {"repository": "r"}, "existingConfig": {"secret": "mine", "key": "c.yaml"}, "mode": "deployment"}
    own["tls"] = {"certManager": {"enabled": True}}
    objects = render(own)

    assert objects.names("ConfigMap") == ["skywalking-provider-values"]
    [pod] = pods(objects)
    assert named(pod["volumes"], "skywalking-provider-config")["secret"] == {
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


@pytest.mark.parametrize("values", CI_VALUES, ids=ids)
def test_helm_test_asks_the_doctor_in_a_pod_that_is_none_of_the_service(values: Path, tmp_path: Path) -> None:
    objects = render(values)
    pod = objects.one("Pod", "skywalking-provider-doctor")
    [doctor] = pod["spec"]["containers"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    for running in pods(objects):  # what the configuration names, both see
        missing = {mount["mountPath"] for mount in running["containers"][0]["volumeMounts"]}
        missing -= {mount["mountPath"] for mount in doctor["volumeMounts"]}
        assert missing == set()
        assert pod["spec"].get("initContainers") == running.get("initContainers")
    assert {mount["name"] for mount in doctor["volumeMounts"]} == {volume["name"] for volume in pod["spec"]["volumes"]}
    for service in (each for each in objects.all if each["kind"] == "Service"):
        assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    command, config, *rest = doctor["args"]
    assert config == "--config=/etc/skywalking-provider/config.yaml"
    file = tmp_path / "config.yaml"
    file.write_text("{socket: /nowhere.sock, backends: {prod: {url: 'http://127.0.0.1:9'}}}")
    said = CliRunner().invoke(app, [command, f"--config={file}", *rest])
    assert said.exit_code == 3, said.output  # the command line is right, and there is no OAP


def test_with_a_deployment_the_doctor_asks_the_service_as_the_bridge_does() -> None:
    objects = render(DEPLOYMENT)
    [doctor] = objects.one("Pod", "skywalking-provider-doctor")["spec"]["containers"]
    values = yaml.safe_load(objects.one("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    [plugin] = values["controller"]["metricProviderPlugins"]

    asked = {argument for argument in doctor["args"] if argument.startswith("--tls")}
    assert asked == {argument for argument in plugin["args"] if argument.startswith("--tls")}
    assert "--address=skywalking-provider.argo-rollouts.svc:9500" in doctor["args"]


def test_further_objects_are_templated() -> None:
    extra = {"extraObjects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "{{ .Release.Name }}-x"}}]}

    assert render(SIDECAR, extra).names("Secret") == ["skywalking-provider-x"]


def test_the_next_commands_are_three() -> None:
    said = run("helm", "install", "try", str(CHART), "--dry-run=client", "-n", "argo", f"--values={SIDECAR}")
    notes = said[said.index("NOTES:") :]

    assert [line[:2] for line in notes.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert "helm upgrade argo-rollouts argo/argo-rollouts -n argo -f argo-rollouts-skywalking.yaml" in notes
    assert "helm test try -n argo --logs" in notes
    assert "WARNING" not in notes
