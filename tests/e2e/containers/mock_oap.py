"""Mock OAP in a pod, under the address that docs/install.md names."""

from tests.e2e.kubectl import Object

GOOD = "canary|reviews|bookinfo|cluster-1|-"
BAD = "canary|ratings|bookinfo|cluster-1|-"
IMAGE = "ghcr.io/skywalking-provider/skywalking-provider:0.1.0"
CANARY_HASH, STABLE_HASH = "6c85f7bf4", "7d4f9c8b65"
"""Hashes of the pods of reviews.bookinfo, the service in the template of README.md."""
SCENARIO = f"""
description: one service responds well, every tenth call of the other fails, and a third one has two versions
services:
  - name: reviews.bookinfo
    layer: MESH
    instances:
      - name: reviews-{STABLE_HASH}-2xkqz
        attributes: {{pod: reviews-{STABLE_HASH}-2xkqz}}
        traffic: [{{calls: 3000, failures: 30, latencies: [30, 45, 160]}}]
      - name: reviews-{CANARY_HASH}-9zr8t
        attributes: {{pod: reviews-{CANARY_HASH}-9zr8t}}
        traffic: [{{calls: 3000, failures: 30, latencies: [30, 45, 160]}}]
  - {{name: "{GOOD}", layer: MESH, traffic: [{{calls: 60, latencies: [30, 45, 160]}}]}}
  - {{name: "{BAD}", layer: MESH, traffic: [{{calls: 60, failures: 6, latencies: [30, 45, 160]}}]}}
"""

OAP: list[Object] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}},
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "oap", "namespace": "istio-system"},
        "data": {"scenario.yaml": SCENARIO},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "oap", "namespace": "istio-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "oap"}},
            "template": {
                "metadata": {"labels": {"app": "oap"}},
                "spec": {
                    "containers": [
                        {
                            "name": "oap",
                            "image": IMAGE,
                            "resources": {"requests": {"cpu": "250m"}},  # a share beside the pods under test
                            "args": ["mock-oap", "--listen=0.0.0.0:12800", "--scenario=/scenario/scenario.yaml"],
                            "readinessProbe": {"tcpSocket": {"port": 12800}, "periodSeconds": 1},
                            "volumeMounts": [{"name": "scenario", "mountPath": "/scenario"}],
                        }
                    ],
                    "volumes": [{"name": "scenario", "configMap": {"name": "oap"}}],
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "oap", "namespace": "istio-system"},
        "spec": {"selector": {"app": "oap"}, "ports": [{"port": 12800}]},
    },
]
