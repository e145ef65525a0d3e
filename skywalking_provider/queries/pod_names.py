"""Place of a pod-template-hash in the name of a pod.

Argo Rollouts names a ReplicaSet `<rollout>-<hash>`, and Kubernetes names its pods `<ReplicaSet>-<5 random characters>`.
The hash counts only there. Two facts complicate it:

- Kubernetes cuts a generated name: 58 characters of `<ReplicaSet>-` remain, so the name has 63 characters
  (`k8s.io/apiserver/pkg/storage/names`). The dash before the random characters is lost first, then the hash.
- A Rollout's Experiment is named `<rollout>-<hash>-<revision>-<step>` with the hash of the new version
  (Argo's `rollout/experiment.go`), and its ReplicaSets `<experiment>-<template>` (`experiments/replicaset.go`). So pods
  of the old version have the new version's hash in their names, too.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

MAX_POD_NAME: Final = 63
"""Characters of a pod's name that Kubernetes generated, at most."""
_MAX_BASE: Final = MAX_POD_NAME - 5

# A name ends before the namespace (`<pod>.<namespace>`), before an address (`<pod>@<ip>`) or with the text. Kubernetes'
# random characters have no vowels; other clients that generate names need not follow that.
_RANDOM_SUFFIX = re.compile(r"[a-z0-9]{5}(?![A-Za-z0-9-])")
_EXPERIMENT_SUFFIX = re.compile(r"\d*-\d+-")
_CUT_EXPERIMENT_SUFFIX = re.compile(r"\d+(-\d*)?|-\d*")
_NAME_START = re.compile(r"(?<![A-Za-z0-9.-])[a-z0-9]")  # behind a dot comes the namespace
# Without dots, which would also be those of `<pod>.<namespace>`. A rollout with a dot in its name is not found if cut.
_GENERATED_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{{_MAX_BASE - 1}}}[a-z0-9]{{5}}(?![A-Za-z0-9-])")
# Argo writes the decimal digits of a hash as the characters of SafeEncodeString: 0 is 4, 1 is 5, ..., 9 is f. Shorter
# ones are one in a thousand, and look like words of a rollout's name.
_OTHER_HASH = re.compile(r"[4-9bcdf]{7,10}")
_OTHER_EXPERIMENT = re.compile(r"-[4-9bcdf]{7,10}-\d+-\d+-")


class HashPlace(Enum):
    """Place of a hash in a text that contains the name of a pod."""

    ABSENT = auto()
    """The text has the hash at no place that means anything. It may be a pod of another version."""
    POD = auto()
    """Before the random suffix: a pod of this ReplicaSet."""
    FULL_LENGTH_POD = auto()
    """The same in a name of 63 characters. Kubernetes may have cut a longer name to it, such as an Experiment's."""
    CUT = auto()
    """Kubernetes cut this name within or before the hash, so pods of this hash cannot be distinguished."""
    EXPERIMENT = auto()
    """In the name of an Experiment's pod, which may be one of the old version."""


def locate_hash(text: str, pod_template_hash: str) -> HashPlace:
    """Return the place of a hash in an instance's name, or in an attribute that contains the name of a pod.

    Args:
        text: Name of a pod, alone or with its namespace or address (`<pod>.<namespace>`, `<uuid>@<pod>`).
        pod_template_hash: Hash of the ReplicaSet.
    """
    places = {_place_of_remainder(remainder) for remainder in _remainders(text, f"-{pod_template_hash}-")}
    if HashPlace.EXPERIMENT in places:  # its template's name can end with a hash, too
        return HashPlace.EXPERIMENT
    full_length_names = list(_full_length_names(text))
    if HashPlace.POD in places:
        ends = any(name[:_MAX_BASE].endswith(f"-{pod_template_hash}-") for name in full_length_names)
        return HashPlace.FULL_LENGTH_POD if ends else HashPlace.POD
    for name in full_length_names:
        if (place := _place_in_full_length(name[:_MAX_BASE], pod_template_hash)) is not HashPlace.ABSENT:
            return place
    return HashPlace.ABSENT


def is_experiment_pod(text: str) -> bool:
    """Return whether a text contains the name of a pod that looks like one of a Rollout's Experiment."""
    return _OTHER_EXPERIMENT.search(text) is not None


def _remainders(text: str, segment: str) -> Iterator[str]:
    at = text.find(segment, 1)
    while at >= 0:
        yield text[at + len(segment) :]
        at = text.find(segment, at + 1)


def _place_of_remainder(remainder: str) -> HashPlace:
    """Return the place of a hash from the text behind `-<hash>-`."""
    if _EXPERIMENT_SUFFIX.match(remainder):
        return HashPlace.EXPERIMENT
    return HashPlace.POD if _RANDOM_SUFFIX.match(remainder) else HashPlace.ABSENT


def _full_length_names(text: str) -> Iterator[str]:
    if len(text) < MAX_POD_NAME:
        return
    for start in _NAME_START.finditer(text):
        if _GENERATED_NAME.match(text, start.start()):
            yield text[start.start() : start.start() + MAX_POD_NAME]


def _place_in_full_length(base: str, pod_template_hash: str) -> HashPlace:
    """Return the place of a hash in the first 58 characters of a name that has 63."""
    for remainder in _remainders(base, f"-{pod_template_hash}-"):
        if _CUT_EXPERIMENT_SUFFIX.fullmatch(remainder):
            return HashPlace.EXPERIMENT
    if _OTHER_EXPERIMENT.search(base):
        return HashPlace.ABSENT
    before, _, last = base.removesuffix("-").rpartition("-")
    if not before:  # a name of something else
        return HashPlace.ABSENT
    if last == pod_template_hash:
        return HashPlace.FULL_LENGTH_POD
    # A complete hash of another version leaves room for this one, if this one is not longer.
    if _OTHER_HASH.fullmatch(last) and (base.endswith("-") or len(last) >= len(pod_template_hash)):
        return HashPlace.ABSENT
    return HashPlace.CUT
