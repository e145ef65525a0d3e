"""Objects of the mesh that are not in Git: the gateway, the configuration of Envoy, and the OAP's address.

In a cluster, Istio's injection adds the sidecar to a pod. Its image is in no package registry, so the manifests contain
Envoy's container, as the injection would add it without iptables.
"""

import json
from typing import Any

Object = dict[str, Any]

NAMESPACE = "bookinfo"
GATEWAY = "bookinfo-gateway"
GATEWAY_PORT = 8888
APPLICATION_PORT = 9080
ENVOY_IMAGE = "registry.lab/envoy:1"
NODE_ADDRESS = "192.0.2.2"
"""Address of lab/node, at which pods reach the processes istiod and OAP."""
ENVOY_VOLUME: Object = {"name": "envoy", "configMap": {"name": "envoy"}}
DRAIN: Object = {"preStop": {"sleep": {"seconds": 5}}}
"""Wait before the end of a container, in which istiod takes its pod from the endpoints."""
_ISTIOD_PORT = 15010
_OAP_PORTS = (11800, 12800)


def envoy_container(kind: str, app: str, port: int) -> Object:
    """Return the container of Envoy.

    Args:
        kind: Istio's type of proxy: `sidecar` or `router`.
        app: Label `app` of the pod.
        port: Port on which the pod is ready.
    """
    fields = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name"}
    node = f"{kind}~$(POD_IP)~$(POD_NAME).{NAMESPACE}~{NAMESPACE}.svc.cluster.local"
    arguments = {
        "--config-path": f"/etc/envoy/{kind}.json",
        "--service-node": node,
        "--service-cluster": f"{app}.{NAMESPACE}",
        "--concurrency": "1",
        "--log-level": "warning",
    }
    return {
        "name": "istio-proxy",
        "image": ENVOY_IMAGE,
        "args": [*(text for pair in arguments.items() for text in pair), "--disable-hot-restart"],
        "env": [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "lifecycle": DRAIN,
        "volumeMounts": [{"name": "envoy", "mountPath": "/etc/envoy"}],
    }


def infrastructure() -> list[Object]:
    """Return the namespaces, the gateway, Envoy's configuration, the sidecars' ports and the OAP's Service."""
    return [
        *(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in (NAMESPACE, "istio-system")
        ),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "envoy", "namespace": NAMESPACE},
            "data": {f"{kind}.json": envoy_bootstrap(kind) for kind in ("sidecar", "router")},
        },
        *_gateway(),
        # Without iptables, a sidecar listens on its pod's address only with this resource.
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Sidecar",
            "metadata": {"name": "reviews", "namespace": NAMESPACE},
            "spec": {
                "workloadSelector": {"labels": {"app": "reviews"}},
                "egress": [{"hosts": ["~/*"]}],  # the application sends no requests
                "ingress": [
                    {
                        "port": {"number": APPLICATION_PORT, "protocol": "HTTP", "name": "http"},
                        "captureMode": "NONE",
                        "defaultEndpoint": f"127.0.0.1:{APPLICATION_PORT}",
                    }
                ],
            },
        },
        *_oap_service(),
    ]


def _gateway() -> list[Object]:
    labels = {"istio": "ingressgateway", "app": "istio-ingressgateway"}
    container = envoy_container("router", labels["app"], GATEWAY_PORT)
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": [ENVOY_VOLUME]}}
    metadata = {"name": "istio-ingressgateway", "namespace": NAMESPACE}
    port = {"number": GATEWAY_PORT, "name": "http", "protocol": "HTTP"}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": GATEWAY_PORT}]},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
            "spec": {
                "selector": {"istio": "ingressgateway"},
                "servers": [{"port": port, "hosts": ["*"]}],
            },
        },
    ]


def _oap_service() -> list[Object]:
    """Return the Service of the talk's address, http://oap.istio-system:12800, for the process on the node."""
    metadata = {"name": "oap", "namespace": "istio-system"}
    ports = [{"name": f"p{port}", "port": port} for port in _OAP_PORTS]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": "oap"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS]}],
            "ports": ports,
        },
    ]


def envoy_bootstrap(kind: str) -> str:
    """Return the bootstrap configuration of Envoy as JSON; all else comes from istiod.

    Args:
        kind: Istio's type of proxy: `sidecar` or `router`.
    """
    metadata = {"NAMESPACE": NAMESPACE, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": "1.28.0"}
    if kind == "sidecar":
        metadata["INTERCEPTION_MODE"] = "NONE"
    discovery = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return json.dumps(
        {
            "node": {"metadata": metadata},
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
                    _http2_cluster("xds-grpc", _ISTIOD_PORT),
                    # Istio's agent would add this one, to which istiod's access log refers.
                    _http2_cluster("envoy_accesslog_service", _OAP_PORTS[0]),
                ]
            },
        }
    )


def _http2_cluster(name: str, port: int) -> Object:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": NODE_ADDRESS, "port_value": port}}}}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }
