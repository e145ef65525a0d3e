"""Rules that find analysis templates in Kubernetes objects, shared by `check` and `migrate`."""

TEMPLATE_KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate")
BUILT_IN_PROVIDER = "skywalking"
"""Key of Argo's built-in SkyWalking provider under `provider`."""

_API_GROUP = "argoproj.io/"


def is_list(kind: str) -> bool:
    """Return whether an object of this kind holds other objects under `items`, as `kubectl get` writes them."""
    return kind.endswith("List")


def is_argo_object(api_version: str) -> bool:
    """Return whether an object belongs to Argo; another API group may have a kind of the same name."""
    return api_version.startswith(_API_GROUP)


def is_template(kind: str, api_version: str) -> bool:
    """Return whether an object is an analysis template."""
    return kind in TEMPLATE_KINDS and is_argo_object(api_version)
