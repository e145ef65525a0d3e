"""Ways in which the talk's rollout is judged: by pod hash, by label, or compared with stable."""

from dataclasses import dataclass
from enum import StrEnum

PAUSE_FACTOR = 4
"""All pauses of the talk are divided by this factor."""


class Way(StrEnum):
    """A way to judge the canary."""

    HASH = "hash"
    LABEL = "label"
    COMPARE = "compare"


_LABEL_RULE = (
    "${pod.metadata.labels.version}|${service.metadata.name}|${pod.metadata.namespace}"
    "|${pod.metadata.labels.cluster}|${pod.metadata.labels.env}"
)


@dataclass(frozen=True, slots=True)
class WayPlan:
    """Names and settings of a way.

    Attributes:
        rollout: Name of the Rollout.
        application: Name of Argo CD's application.
        folder: Folder of the manifests in the repository.
        service_name_rule: OAP's rule for the names of services; empty for its default.
        description: One line for the reports.
        calls_per_second: Requests through the gateway.
    """

    rollout: str
    application: str
    folder: str
    service_name_rule: str
    description: str
    calls_per_second: float = 50.0


PLANS = {
    Way.HASH: WayPlan(
        "reviews-rollout",
        "reviews-rollout",
        "argo/rollout",
        "",
        "thresholds for success rate and latency of the pods with the canary's hash, in SkyWalking's default names",
    ),
    Way.LABEL: WayPlan(
        "reviews-rollout",
        "reviews-rollout",
        "argo/rollout",
        _LABEL_RULE,
        "the talk's apdex of canary|reviews|bookinfo|cluster-1|-, a name from labels of the pods",
    ),
    Way.COMPARE: WayPlan(
        "reviews",
        "bookinfo",
        "examples/bookinfo",
        "",
        "judged blocks that compare the canary with stable, as in examples/bookinfo",
        calls_per_second=100.0,  # a judged step of 10 % needs hundreds of calls of the canary
    ),
}
