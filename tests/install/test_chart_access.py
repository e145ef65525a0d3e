"""Access control of the chart: certificates and the NetworkPolicy."""

from typing import Any

import yaml

from tests.install.install_tools import DEPLOYMENT, find_by_name, pod_specs, render


def test_network_policy_allows_the_controller_dns_and_the_oaps_only() -> None:
    policy = render(DEPLOYMENT).get("NetworkPolicy")["spec"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    service_ingress, metrics_ingress = policy["ingress"]
    assert service_ingress["from"] == [
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
    assert [port["port"] for port in service_ingress["ports"]] == [9500]
    assert [port["port"] for port in metrics_ingress["ports"]] == [9464]
    dns, oap = policy["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [port["port"] for port in oap["ports"]] == [12800, 443]
    assert oap["to"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}}},
        {"ipBlock": {"cidr": "203.0.113.0/24"}},
    ]


def test_network_policy_allows_the_port_of_enabled_events() -> None:
    backends = {
        "grpc": {"url": "http://a:12800", "events": {"enabled": True, "address": "a:11800"}},
        "http": {"url": "https://b", "events": {"enabled": True}},
        "off": {"url": "http://c:12800", "events": {"enabled": False, "address": "c:11900"}},
    }
    policy = render(DEPLOYMENT, {"backends": backends}).get("NetworkPolicy")["spec"]

    assert [port["port"] for port in policy["egress"][1]["ports"]] == [11800, 12800, 443]


def test_cert_manager_certificate_of_the_bridge_has_the_allowed_identity() -> None:
    objects = render(DEPLOYMENT)
    config = yaml.safe_load(objects.get("ConfigMap")["data"]["config.yaml"])
    bridge = objects.get("Certificate", "skywalking-provider-bridge")["spec"]
    server = objects.get("Certificate", "skywalking-provider-server")["spec"]

    assert bridge["uris"] == config["tls"]["allowedIdentities"]
    assert bridge["uris"] == ["spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"]
    assert bridge["issuerRef"] == server["issuerRef"]
    assert "skywalking-provider.argo-rollouts.svc" in server["dnsNames"]
    [pod] = pod_specs(objects)
    mounted = find_by_name(pod["volumes"], "skywalking-provider-tls")["secret"]["secretName"]
    assert mounted == server["secretName"]


def test_allowed_identities_always_include_the_bridge() -> None:
    def allowed(tls: dict[str, Any]) -> list[str]:
        config = yaml.safe_load(render(DEPLOYMENT, {"tls": tls}).get("ConfigMap")["data"]["config.yaml"])
        identities: list[str] = config["tls"]["allowedIdentities"]
        return identities

    bridge = "spiffe://cluster.local/ns/argo-rollouts/sa/argo-rollouts"
    own = {"certManager": {"enabled": False}, "serverSecret": "mine", "clientSecret": "its"}
    assert allowed({"allowedIdentities": ["ci.example.org"]}) == [bridge, "ci.example.org"]
    assert allowed({"allowedIdentities": [bridge]}) == [bridge]
    assert allowed(own | {"allowedIdentities": ["bridge.example.org"]}) == ["bridge.example.org"]
    assert allowed(own) == [bridge]


def test_own_secrets_replace_cert_manager() -> None:
    own = {"tls": {"certManager": {"enabled": False}, "serverSecret": "mine", "clientSecret": "its"}}
    objects = render(DEPLOYMENT, own)

    assert "Certificate" not in objects.kinds()
    [pod] = pod_specs(objects)
    assert find_by_name(pod["volumes"], "skywalking-provider-tls")["secret"]["secretName"] == "mine"
    values = yaml.safe_load(objects.get("ConfigMap", "skywalking-provider-values")["data"]["values.yaml"])
    assert (
        find_by_name(values["controller"]["volumes"], "skywalking-provider-bridge-tls")["secret"]["secretName"] == "its"
    )


def test_certificate_of_the_bridge_is_in_the_controllers_namespace() -> None:
    elsewhere = {
        "argoRollouts": {"namespace": "argo-rollouts"},
        "tls": {"certManager": {"issuerRef": {"name": "corporate", "kind": "ClusterIssuer"}}},
    }
    objects = render(DEPLOYMENT, elsewhere, namespace="skywalking")
    bridge = objects.get("Certificate", "skywalking-provider-bridge")

    assert bridge["metadata"]["namespace"] == "argo-rollouts"
    assert bridge["spec"]["issuerRef"] == {"name": "corporate", "kind": "ClusterIssuer"}
    assert objects.names("Issuer") == []
