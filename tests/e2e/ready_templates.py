"""The chart's ready templates in a rollout's background analysis."""

from tests.e2e.environment import Environment
from tests.e2e.kubectl import Object
from tests.install.install_tools import SIDECAR, render

HASHES: list[Object] = [
    {"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
    {"name": "stable-hash", "valueFrom": {"podTemplateHashValue": "Stable"}},
]


def render_ready_templates(environment: Environment, names: tuple[str, ...]) -> list[Object]:
    """Render the chart's ClusterAnalysisTemplates with these names for the scenario's OAP.

    Their names are unique in the cluster, so those of the scenario begin with its namespace.
    """
    prefix = f"{environment.namespace}-"
    values = {
        "backends": {environment.backend: {"url": environment.oap.oap_url}},
        "templates": {"enabled": True, "prefix": prefix, "backend": environment.backend},
    }
    chart = render(SIDECAR, values)
    return [chart.get("ClusterAnalysisTemplate", f"{prefix}{name}") for name in names]


def analyse_by_ready_templates(rollout: Object, environment: Environment, templates: list[Object]) -> None:
    """Let a rollout's background analysis be made of these templates."""
    analysis = rollout["spec"]["strategy"]["canary"]["analysis"]
    analysis["templates"] = [{"templateName": one["metadata"]["name"], "clusterScope": True} for one in templates]
    services = {name: named_service(environment, name) for name in ("canary", "stable")}
    analysis["args"] = [
        {"name": "service", "value": environment.service},
        *HASHES,
        *({"name": f"{name}-service", "value": service} for name, service in services.items()),
    ]


def named_service(environment: Environment, version: str) -> str:
    """Return the name of a version that is a service of its own, as SkyWalking's apdex needs it."""
    return f"{version}.{environment.service}"
