"""Bootstrap configuration of Envoy as gateway and as sidecar: all else comes from istiod."""

import json
from collections.abc import Mapping
from typing import Any

ISTIOD_PORT = 15010
OAP_PORT = 11800
APPLICATION_CLUSTER = "inbound|9080||"
"""istiod's cluster of this name leads to 127.0.0.1:9080. A static cluster of the same name takes precedence."""


def gateway_bootstrap(pod: str, address: str, namespace: str) -> str:
    """Return the bootstrap of the gateway's Envoy."""
    labels = {"istio": "ingressgateway", "app": "istio-ingressgateway"}
    return _bootstrap("router", pod, address, namespace, labels, [])


def sidecar_bootstrap(pod: str, address: str, namespace: str, labels: Mapping[str, str], application_port: int) -> str:
    """Return the bootstrap of a pod's sidecar.

    Args:
        pod: Name of the pod.
        address: Address of the pod.
        namespace: Namespace of the pod.
        labels: Labels of the pod.
        application_port: Port of the pod's application on 127.0.0.1. All pods of the lab share this address.
    """
    return _bootstrap("sidecar", pod, address, namespace, labels, [_cluster(APPLICATION_CLUSTER, application_port)])


def _bootstrap(
    kind: str, pod: str, address: str, namespace: str, labels: Mapping[str, str], clusters: list[dict[str, Any]]
) -> str:
    metadata = {
        "NAME": pod,
        "NAMESPACE": namespace,
        "LABELS": dict(labels),
        "CLUSTER_ID": "Kubernetes",
        "ISTIO_VERSION": "1.28.0",
        "INSTANCE_IPS": address,
    }
    if kind == "sidecar":
        metadata["INTERCEPTION_MODE"] = "NONE"
    discovery = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return json.dumps(
        {
            "node": {
                "id": f"{kind}~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local",
                "cluster": f"{labels['app']}.{namespace}",
                "metadata": metadata,
            },
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": True,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
                },
                "cds_config": discovery,
                "lds_config": discovery,
            },
            "static_resources": {
                "clusters": [
                    _cluster("xds-grpc", ISTIOD_PORT, http2=True),
                    # Istio's agent would add this one, to which istiod's access log refers.
                    _cluster("envoy_accesslog_service", OAP_PORT, http2=True),
                    *clusters,
                ]
            },
        }
    )


def _cluster(name: str, port: int, *, http2: bool = False) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return cluster
