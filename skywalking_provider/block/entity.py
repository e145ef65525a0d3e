"""Keys that select the entity of a metric: a service, an endpoint or a set of instances."""

import re
from datetime import timedelta
from typing import Annotated

import re2
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from skywalking_provider.block.common import Common, Length, NonEmpty, NotBoolean
from skywalking_provider.model import Scope
from skywalking_provider.support.strict_model import StrictModel

# Argo encodes a 32-bit number with Kubernetes' SafeEncodeString, which has no vowels.
_HASH = re.compile(r"[b-df-hj-np-tv-xz24-9]{1,10}")
_HASH_HINT = (
    "set the argument in the Rollout's analysis to valueFrom: {podTemplateHashValue: Latest}, or to Stable for compare"
)

# RE2 needs time linear in the length of the name, whatever the expression. Its log would go to standard error.
_RE2_OPTIONS = re2.Options()

_RE2_OPTIONS.log_errors = False


class ServiceParts(StrictModel):
    """Parts of a service's name, which the backend's `serviceName` pattern joins."""

    name: NonEmpty
    subset: NonEmpty | None = None
    namespace: NonEmpty | None = None
    cluster: NonEmpty | None = None


def _check_hash(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError(f"is empty; {_HASH_HINT}")
    if not _HASH.fullmatch(text):
        raise ValueError(
            f"{text[:60]!r} is not a pod-template-hash, which has one to ten of the characters"
            f" bcdfghjklmnpqrstvwxz2456789; {_HASH_HINT}"
        )
    return text


def _check_regex(text: str) -> str:
    try:
        re2.compile(text, _RE2_OPTIONS)
    except re2.error as error:
        detail = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error
        raise ValueError(f"is not a regular expression of RE2: {detail}") from error
    return text


class Instances(StrictModel):
    """A set of instances of the service. Exactly one of both keys is set.

    Attributes:
        pod_template_hash: Hash of the ReplicaSet of the instance's pod. It is the segment before the random suffix of
            the pod's name, in the instance's name or in an attribute such as pod or hostname.
        name: Regular expression (RE2) that matches the whole name.
    """

    pod_template_hash: Annotated[str, AfterValidator(_check_hash)] | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_check_regex)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _check_is_map(cls, value: object) -> object:
        if isinstance(value, str):
            key = "podTemplateHash" if _HASH.fullmatch(value.strip()) else "name"
            raise ValueError(f"is {value[:60]!r} instead of a map. Write instances: {{{key}: …}}")
        if isinstance(value, list):
            raise ValueError("is a list instead of a map. Write instances: {name: …} with a regular expression")
        return value

    @model_validator(mode="after")
    def _check_exactly_one(self) -> "Instances":
        if (self.pod_template_hash is None) == (self.name is None):
            problem = "has both keys" if self.name else "has no key"
            raise ValueError(f"{problem}. Write exactly one of podTemplateHash and name")
        return self

    @property
    def display(self) -> str:
        """Text of the selector for messages."""
        return self.pod_template_hash or f"/{self.name}/"


Layer = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9_]+$")]
"""Name of a SkyWalking layer."""


class EntityKeys(Common):
    """Keys that select entities by name.

    Attributes:
        service: Name of the service, or its parts.
        layer: SkyWalking layer, such as MESH or GENERAL. Needed only if services of several layers share a name.
        endpoint: Name of an endpoint of the service.
        instances: Selector of instances of the service.
    """

    service: NonEmpty | ServiceParts
    layer: Layer | None = None
    endpoint: NonEmpty | None = None
    instances: Instances | None = None

    @model_validator(mode="after")
    def _check_one_scope(self) -> "EntityKeys":
        if self.endpoint is not None and self.instances is not None:
            raise ValueError("endpoint, instances: SkyWalking has no metrics of an endpoint per instance; remove one")
        return self

    @property
    def scope(self) -> Scope:
        """Scope of the selected entities."""
        if self.instances is not None:
            return Scope.INSTANCE
        return Scope.SERVICE if self.endpoint is None else Scope.ENDPOINT


class EntitySpec(EntityKeys):
    """Keys of the query types that read a window of entities.

    Attributes:
        window: Length of the window.
        min_calls: Number of calls below which the window counts as without data.
    """

    window: Length
    min_calls: Annotated[int, NotBoolean] = Field(default=0, ge=0)

    @property
    def window_length(self) -> timedelta:
        """Length of the window."""
        return self.window

    @property
    def required_calls(self) -> int:
        return self.min_calls

    @property
    def _starts_at_run_by_default(self) -> bool:
        return self.instances is None or self.instances.pod_template_hash is None
