"""Rules that find analysis templates in Kubernetes objects, shared by `check` and `migrate`."""

import re
from typing import Final

TEMPLATE_KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate")
BUILT_IN_PROVIDER = "skywalking"
"""Key of Argo's built-in SkyWalking provider under `provider`."""

_API_GROUP = "argoproj.io/"
_HELM_MARKUP: Final = re.compile(
    r"""\{\{(?:-|\s*[.$`"(]|\s*/\*|\s*(?:include|template|tpl|toYaml|toJson|range|if|else|end|with|define|block|required|"""
    r"""default|quote|lookup|printf|list|dict)\b)(?:[^}\n]|\}(?!\})){0,60}(?:\}\})?"""
)
"""Actions of a Helm template. An argument of Argo is `{{args.name}}`, with spaces at most."""


def is_list(kind: str) -> bool:
    """Return whether an object of this kind holds other objects under `items`, as `kubectl get` writes them."""
    return kind.endswith("List")


def is_argo_object(api_version: str) -> bool:
    """Return whether an object belongs to Argo; another API group may have a kind of the same name."""
    return api_version.startswith(_API_GROUP)


def is_template(kind: str, api_version: str) -> bool:
    """Return whether an object is an analysis template."""
    return kind in TEMPLATE_KINDS and is_argo_object(api_version)


def find_helm_markup(text: str) -> str:
    """Return the first action of Helm in a text, such as `{{ .Values.interval }}`; empty for none."""
    match = _HELM_MARKUP.search(text)
    return match[0].rstrip() if match else ""


def helm_hint(command: str) -> str:
    """Return the next step for a Helm chart's template, as one or two sentences.

    Args:
        command: Command of `skywalking-provider` that reads the template.
    """
    return (
        f"It looks like a Helm template. Pipe its rendered form: helm template … | skywalking-provider {command} -f -"
    )
