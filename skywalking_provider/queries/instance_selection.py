"""Selection of a service's instances by the pod-template-hash of their pods.

SkyWalking's agents name an instance `<uuid>@<ip>` or after the pod, and report the host name, which is the pod's, in an
attribute. Envoy's access logs name it `<pod>.<namespace>`, with the pod's name and labels as attributes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest
from itertools import accumulate
from typing import Final

from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.pod_names import MAX_POD_NAME, HashPlace, is_experiment_pod, locate_hash

_MAX_LISTED: Final = 5
_MAX_LIST_LENGTH: Final = 300  # characters, so that the next step stays within the 1,024 of a message in Argo
_MAX_KEY: Final = 40  # characters of an attribute's name
_MAX_SHOWN: Final = 140  # characters of one name; two of 63 and the address of a pod have less
_POD_NAME_KEYS: Final = frozenset({"pod", "podname", "k8spodname", "kubernetespodname", "hostname"})
"""Attributes that contain the name of a pod, in lower case without separators: `hostname` of SkyWalking's agents for
Java, Go, Python, Node.js, PHP and Rust, `host_name` of SkyAPM for .NET, `pod` of Envoy's access logs."""
_HASH_LABEL: Final = "rolloutspodtemplatehash"
"""Label that Argo Rollouts gives to each pod, with its ReplicaSet's hash as value."""
_HASH_AND_SUFFIX: Final = re.compile(r"[a-z0-9]{5,10}-[a-z0-9]{5}(?![A-Za-z0-9-])")
"""End of a pod's name, behind that of its rollout."""
_NEXT_STEP_AGENT: Final = (
    "If the agents do not report the pod's name, set their instance name to it (agent.instance_name of Java,"
    " SW_AGENT_INSTANCE_NAME of Java, Go and Python)"
)
_NEXT_STEP_MESH: Final = "A new pod is known after its first requests"
_NEXT_STEP_CUT: Final = "Shorten the rollout's name to 46 characters, or select the pods with instances: {name: REGEX}"
_NEXT_STEP_EXPERIMENT: Final = (
    "To measure one template of an Experiment, select it with instances: {name: REGEX} by the name of its ReplicaSet,"
    " which Argo has as templates.NAME.replicaset.name"
)


@dataclass(frozen=True, slots=True)
class HashSelection:
    """Instances whose pods have a hash.

    Attributes:
        names: Names of the instances, sorted.
        full_length: Whether a name has the 63 characters to which Kubernetes cuts. An Experiment's pods may have it,
            too.
    """

    names: tuple[str, ...]
    full_length: bool


def select_by_hash(pod_template_hash: str, service: str, known: Sequence[InventoryInstance]) -> HashSelection:
    """Return the instances whose pods belong to the ReplicaSet with a hash.

    Raises:
        EntityNotFoundError: No instance has the hash. The message names what was compared.
        ProviderError: QUERY_INVALID, if Kubernetes cut the hash out of the names of all pods.
    """
    places = [_place_in_instance(instance, pod_template_hash) for instance in known]
    selected = {HashPlace.POD, HashPlace.FULL_LENGTH_POD}
    names = {instance.name for instance, place in zip(known, places, strict=True) if place in selected}
    if names:
        return HashSelection(tuple(sorted(names)), HashPlace.FULL_LENGTH_POD in places)
    raise _not_found_error(pod_template_hash, service, known, places)


def is_pod_of_other_version(instance: InventoryInstance, pod_template_hash: str, rollout: str) -> bool:
    """Return whether an instance certainly is a pod of a rollout in another version than that of a hash.

    Args:
        instance: Instance of the service.
        pod_template_hash: Hash of the version.
        rollout: Name of the rollout.
    """
    if _place_in_instance(instance, pod_template_hash) is not HashPlace.ABSENT:
        return False
    names = [text.removeprefix(f"{rollout}-") for text in pod_names(instance) if text.startswith(f"{rollout}-")]
    return bool(names) and (bool(hash_label(instance)) or any(map(_HASH_AND_SUFFIX.match, names)))


def drop_unread_attributes(known: Iterable[InventoryInstance]) -> tuple[InventoryInstance, ...]:
    """Return the instances without the attributes that no selection reads: agents report whole lists of libraries."""
    return tuple(
        InventoryInstance(one.name, {key: value for key, value in one.attributes.items() if _is_read(key)})
        for one in known
    )


def describe_instances(known: Sequence[InventoryInstance]) -> str:
    """Return a clause with the first names of instances, each with the pod's name that an attribute has."""
    if not known:
        return "it has no instances in this window"
    shown = nsmallest(_MAX_LISTED, map(_describe_instance, known))
    lengths = accumulate(len(name) for name in shown)
    names = ", ".join(name for name, length in zip(shown, lengths, strict=True) if length <= _MAX_LIST_LENGTH)
    return f"the {len(known)} instances include {names}" if len(known) > 1 else f"the only instance is {names}"


def _place_in_instance(instance: InventoryInstance, pod_template_hash: str) -> HashPlace:
    places = {locate_hash(text, pod_template_hash) for text in pod_names(instance)}
    if label := hash_label(instance):  # exact, unlike a name
        if label == pod_template_hash:
            return HashPlace.POD
        return HashPlace.EXPERIMENT if HashPlace.EXPERIMENT in places else HashPlace.ABSENT
    by_evidence = (HashPlace.EXPERIMENT, HashPlace.POD, HashPlace.FULL_LENGTH_POD, HashPlace.CUT)
    return next((place for place in by_evidence if place in places), HashPlace.ABSENT)


def pod_names(instance: InventoryInstance) -> Iterator[str]:
    """Yield the texts of an instance that may contain the name of its pod."""
    yield instance.name
    for key, value in instance.attributes.items():
        if _normalize_key(key) in _POD_NAME_KEYS:
            yield value


def hash_label(instance: InventoryInstance) -> str:
    """Return the pod-template-hash that a label of the pod has; empty without such a label."""
    values = (value for key, value in instance.attributes.items() if _normalize_key(key).endswith(_HASH_LABEL))
    return next(values, "").strip()


def _is_read(key: str) -> bool:
    normalized = _normalize_key(key)
    return normalized in _POD_NAME_KEYS or normalized.endswith(_HASH_LABEL)


@lru_cache(maxsize=1024)  # an OAP repeats a few keys for thousands of instances
def _normalize_key(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _not_found_error(
    pod_template_hash: str, service: str, known: Sequence[InventoryInstance], places: Sequence[HashPlace]
) -> ProviderError:
    problem = f"instances: no instance of {service!r} matches {pod_template_hash}"
    if not known:
        return EntityNotFoundError(problem, describe_instances(known))
    cut = [instance for instance, place in zip(known, places, strict=True) if place is HashPlace.CUT]
    if cut:
        detail = (
            f"{problem}: Kubernetes cuts pod names at {MAX_POD_NAME} characters, and the hash is not complete in"
            f" {_describe_instance(cut[0])}"
        )
        if set(places) <= {HashPlace.CUT, HashPlace.EXPERIMENT}:
            return ProviderError(Reason.QUERY_INVALID, detail, _NEXT_STEP_CUT)
        return EntityNotFoundError(detail, _NEXT_STEP_CUT)  # a pod with a shorter name may be of the same rollout
    experiments = [instance for instance, place in zip(known, places, strict=True) if place is HashPlace.EXPERIMENT]
    if experiments:
        count = f"{len(experiments)} of the {len(known)} instances"
        return EntityNotFoundError(
            f"{problem}: {_describe_instance(experiments[0])} belongs to an Experiment, as {count} do. Its pods have"
            " the new version's hash in their names whatever version they run",
            _NEXT_STEP_EXPERIMENT,
        )
    next_step = _NEXT_STEP_MESH if all(map(hash_label, known)) else _NEXT_STEP_AGENT
    if any(is_experiment_pod(text) for instance in known for text in pod_names(instance)):
        next_step = f"No pod of an Experiment has its own ReplicaSet's hash in its name. {_NEXT_STEP_EXPERIMENT}"
    return EntityNotFoundError(problem, f"{describe_instances(known)}. {_describe_comparison(known)}. {next_step}")


def _describe_comparison(known: Sequence[InventoryInstance]) -> str:
    """Return the description of what the hash was compared with."""
    keys = {_shorten(key, _MAX_KEY) for instance in known for key in instance.attributes}
    compared = sorted(filter(_is_read, keys))
    if compared:
        return f"The hash was compared with the name and the attributes {', '.join(compared[:_MAX_LISTED])} of each"
    others = f"attributes: {', '.join(nsmallest(_MAX_LISTED, keys))}" if keys else "there are no attributes"
    return f"The hash was compared with the name of each, and no attribute has the name of a pod ({others})"


def _describe_instance(instance: InventoryInstance) -> str:
    others = [name for name in pod_names(instance) if name and name not in instance.name]
    text = f"{instance.name} (pod {others[0]})" if others else instance.name
    return _shorten(text, _MAX_SHOWN)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
