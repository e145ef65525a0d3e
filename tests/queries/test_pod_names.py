"""Place of a pod-template-hash in names of pods, as Argo and Kubernetes build them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from skywalking_provider.queries.pod_names import HashPlace, is_experiment_pod, locate_hash

ROOT = Path(__file__).parents[2]
ARGO_NAMES: list[dict[str, Any]] = json.loads(
    (ROOT / "bridge/internal/argohost/pod_names.json").read_text(encoding="utf-8")
)
"""Names that Argo's own functions build. `pod_names_test.go` compares them."""
RECIPE = re.findall(r'instances: \{name: "(.*)"\}', (ROOT / "docs/block.md").read_text(encoding="utf-8"))[-1]
HASH = "6c85f7bf4d"
LONG_47 = "payments-gateway-reconciliation-worker-eu-west1"
LONG_48 = "payments-gateway-reconciliation-worker-eu-west-1"
LONG_53 = "payments-gateway-reconciliation-worker-eu-west-1-blue"
SELECTED = {HashPlace.POD, HashPlace.FULL_LENGTH_POD}
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

hashes = st.text(ALPHABET, min_size=1, max_size=10)
suffixes = st.text(ALPHABET, min_size=5, max_size=5)
rollouts = st.from_regex(r"[a-z]([a-z0-9-]{0,56}[a-z0-9])?", fullmatch=True)


def generate_name(replica_set: str, suffix: str) -> str:
    """Return the name that Kubernetes generates for a pod: `GenerateName` of `<ReplicaSet>-`."""
    return f"{replica_set}-"[:58] + suffix


@pytest.mark.parametrize(
    ("text", "pod_template_hash", "place"),
    [
        ("reviews-6c85f7bf4d-x7k2q", HASH, HashPlace.POD),
        ("reviews-6c85f7bf4d-x7k2q.bookinfo", HASH, HashPlace.POD),
        ("reviews-6c85f7bf4d-x7k2q.team-5fd8b", HASH, HashPlace.POD),
        ("reviews-6c85f7bf4d-x7k2q@10.244.1.7", HASH, HashPlace.POD),
        ("0f3c5a9d1b2e4c67a8b90123456789ab@reviews-6c85f7bf4d-x7k2q", HASH, HashPlace.POD),
        ("bookinfo.reviews-6c85f7bf4d-x7k2q.app", HASH, HashPlace.POD),  # OpenTelemetry's service.instance.id
        ("reviews-6c85f7bf4d-x7k2q.reviews.bookinfo.svc.cluster.local", HASH, HashPlace.POD),
        ("reviews.v1-6c85f7bf4d-x7k2q", HASH, HashPlace.POD),
        ("reviews-7d4f9c8b65-x7k2q", HASH, HashPlace.ABSENT),
        ("reviews-6c85f7bf4d", HASH, HashPlace.ABSENT),
        ("6c85f7bf4d-x7k2q", HASH, HashPlace.ABSENT),
        ("-6c85f7bf4d-x7k2q", HASH, HashPlace.ABSENT),
        ("reviews-6c85f7bf4d-0", HASH, HashPlace.ABSENT),
        ("reviews-6c85f7bf4d-x7k2q-bcdfg", HASH, HashPlace.ABSENT),
        # A segment of the rollout's name, of another hash, or of the namespace's name.
        ("reviews-6c85f7bf4d-7d4f9c8b65-x7k2q", HASH, HashPlace.ABSENT),
        ("reviews-6c85f7bf4d-6c85f7bf4d-x7k2q", HASH, HashPlace.POD),
        ("reviews-6c85f7bf4-x7k2q", HASH, HashPlace.ABSENT),
        ("reviews-7d4f9c8b65-x7k2q.team-6c85f7bf4d", HASH, HashPlace.ABSENT),
        # Pods of Experiments, which Argo names after the new version.
        ("guestbook-6c85f7bf4d-2-1-baseline-h6pnw", HASH, HashPlace.EXPERIMENT),
        ("guestbook-6c85f7bf4d-2-1-canary-9zr8t.shop", HASH, HashPlace.EXPERIMENT),
        ("guestbook-6c85f7bf4d-12-10-canary-v2-9zr8t", HASH, HashPlace.EXPERIMENT),
        ("guestbook-6c85f7bf4d--0-canary-9zr8t", HASH, HashPlace.EXPERIMENT),  # a rollout without a revision
        ("guestbook-6c85f7bf4d-2-1-6c85f7bf4d-9zr8t", HASH, HashPlace.EXPERIMENT),
        ("guestbook-6c85f7bf4d-a-6c85f7bf4d-2-1-6c85f7bf4d-9zr8t", HASH, HashPlace.EXPERIMENT),
        ("guestbook-7d4f9c8b65-2-1-canary-9zr8t", HASH, HashPlace.ABSENT),
        (f"{LONG_47[:40]}-6c85f7bf4d-2-1-bax7k2q", HASH, HashPlace.EXPERIMENT),
        (f"{LONG_47[:45]}-6c85f7bf4d-2x7k2q", HASH, HashPlace.EXPERIMENT),
        (f"{LONG_47[:40]}-7d4f9c8b65-2-1-bax7k2q", HASH, HashPlace.ABSENT),
        # Names that Kubernetes cut: complete hashes, incomplete ones, and none at all.
        (f"{LONG_47[:46]}-6c85f7bf4d-x7k2q", HASH, HashPlace.FULL_LENGTH_POD),
        (f"{LONG_47}-6c85f7bf4dx7k2q", HASH, HashPlace.FULL_LENGTH_POD),
        (f"{LONG_47}-6c85f7bf4dx7k2q.shop", HASH, HashPlace.FULL_LENGTH_POD),
        (f"{LONG_47}-6c85f7bf4dx7k2q@10.244.1.7", HASH, HashPlace.FULL_LENGTH_POD),
        (f"0f3c@{LONG_47}-6c85f7bf4dx7k2q", HASH, HashPlace.FULL_LENGTH_POD),
        (f"{LONG_48}-6c85f7bf4x7k2q", "6c85f7bf4", HashPlace.FULL_LENGTH_POD),
        (f"{LONG_47}-5fd8b7c66bm2nvz", HASH, HashPlace.ABSENT),
        (f"{LONG_47[:46]}-7d4f9c8b65-x7k2q", HASH, HashPlace.ABSENT),
        (f"{LONG_47}-7d4f9c8b6-x7k2q", HASH, HashPlace.ABSENT),  # a shorter hash, with its dash
        (f"{LONG_48}-6c85f7bf4x7k2q", HASH, HashPlace.CUT),
        (f"{LONG_53}-6c85x7k2q", HASH, HashPlace.CUT),
        (f"{LONG_53}-5fd8m2nvz", HASH, HashPlace.CUT),
        (f"{LONG_53}-team2xkqz", HASH, HashPlace.CUT),
        (f"{LONG_53}-6c85x7k2q.shop", HASH, HashPlace.CUT),
        (f"{LONG_53}-6c85x7k2", HASH, HashPlace.ABSENT),  # 62 characters
        ("a" * 63, HASH, HashPlace.ABSENT),
        (f"reviews-7d4f9c8b65-x7k2q.{LONG_53}-namespace", HASH, HashPlace.ABSENT),  # its namespace has 63
        ("reviews-7d4f9c8b65-x7k2q.a-namespace-with-a-name-of-38-characters", HASH, HashPlace.ABSENT),
        ("", HASH, HashPlace.ABSENT),
    ],
)
def test_hash_counts_only_before_the_random_suffix(text: str, pod_template_hash: str, place: HashPlace) -> None:
    assert locate_hash(text, pod_template_hash) is place


@pytest.mark.parametrize("names", ARGO_NAMES, ids=[names["rollout"] for names in ARGO_NAMES])
def test_pods_of_a_rollout_by_argo_have_their_own_hash_or_are_cut(names: dict[str, Any]) -> None:
    room = 58 - len(names["rollout"]) - 1
    for version in names["versions"]:
        other = next(one for one in names["versions"] if one is not version)
        for pod in version["pods"]:
            place = locate_hash(pod, version["hash"])
            assert place is HashPlace.CUT if room < len(version["hash"]) else place in SELECTED, pod
            assert locate_hash(pod, other["hash"]) not in SELECTED, pod


@pytest.mark.parametrize("names", ARGO_NAMES[:3], ids=[names["rollout"] for names in ARGO_NAMES[:3]])
def test_pods_of_an_experiment_by_argo_are_selected_by_no_hash_but_by_the_recipe(names: dict[str, Any]) -> None:
    by_template = {template["name"]: template for template in names["templates"]}
    assert {one["selector"] for one in names["templates"]} == {
        RECIPE.replace("{{ args.replicaset }}", one["replicaSet"]) for one in names["templates"]
    }
    for template in names["templates"]:
        for pod in template["pods"]:
            assert locate_hash(pod, names["versions"][1]["hash"]) is HashPlace.EXPERIMENT
            assert locate_hash(pod, names["versions"][0]["hash"]) is HashPlace.ABSENT
            assert locate_hash(pod, template["hash"]) is HashPlace.ABSENT
            assert is_experiment_pod(pod)
            for instance in (pod, f"{pod}.shop", f"{pod}@10.244.1.7"):
                selected = {
                    name for name, one in by_template.items() if re2.fullmatch(one["selector"], instance) is not None
                }
                assert selected == {template["name"]}
    for version in names["versions"]:
        for pod in version["pods"]:
            assert not is_experiment_pod(pod)
            assert not any(re2.fullmatch(one["selector"], pod) for one in names["templates"])


def test_pod_of_an_experiment_that_looks_like_a_canary_is_one_of_full_length() -> None:
    """A name cannot tell them apart: 46 and 47 characters of the rollout's name leave nothing of the Experiment's."""
    for names in ARGO_NAMES[3:5]:
        new_hash = names["versions"][1]["hash"]
        for template in names["templates"]:
            for pod in template["pods"]:
                assert locate_hash(pod, new_hash) in {HashPlace.FULL_LENGTH_POD, HashPlace.EXPERIMENT}


@given(rollouts, hashes, st.lists(hashes, max_size=3), suffixes, st.sampled_from(["", ".shop", "@10.244.1.7"]))
def test_generated_pod_has_its_own_hash_and_no_other_of_the_rollout(
    rollout: str, pod_template_hash: str, others: list[str], suffix: str, address: str
) -> None:
    assume(f"-{pod_template_hash}-" not in f"{rollout}-")  # 2 in shop-2-2-1, as an Experiment of shop would have it
    room = 58 - len(rollout) - 1
    name = generate_name(f"{rollout}-{pod_template_hash}", suffix) + address
    place = locate_hash(name, pod_template_hash)
    if len(pod_template_hash) <= room:
        assert place in SELECTED
        assert (place is HashPlace.FULL_LENGTH_POD) is (len(name) - len(address) == 63)
    elif room > 0:
        assert place is HashPlace.CUT
    for other in others:
        # A complete hash cannot be distinguished from the beginning of a longer one that was cut to it.
        assume(not pod_template_hash.startswith(other))
        assume(room > 0)
        assert locate_hash(name, other) not in SELECTED


@given(
    st.from_regex(r"[a-z]([a-z0-9-]{0,34}[a-z0-9])?", fullmatch=True),
    hashes,
    st.integers(1, 9999),
    st.integers(0, 99),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True),
    suffixes,
    st.data(),
)
def test_generated_pod_of_an_experiment_has_no_hash(
    rollout: str, new_hash: str, revision: int, step: int, template: str, suffix: str, data: st.DataObject
) -> None:
    name = generate_name(f"{rollout}-{new_hash}-{revision}-{step}-{template}", suffix)
    other = data.draw(hashes)
    assume(f"-{other}" not in f"-{template}")  # its author can write any hash

    assert locate_hash(name, new_hash) is HashPlace.EXPERIMENT
    assert locate_hash(name, other) not in SELECTED or f"-{other}-" in f"{rollout}-"


@given(hashes, hashes, suffixes, st.integers(0, 20))
def test_hash_within_the_name_of_a_rollout_is_not_the_hash_of_its_pods(
    segment: str, pod_template_hash: str, suffix: str, length: int
) -> None:
    assume(segment != pod_template_hash)
    for rollout in (f"reviews-{segment}", f"reviews-{segment}-{'x' * length}y", f"{segment}-{segment}"):
        name = generate_name(f"{rollout}-{pod_template_hash}", suffix)
        assert locate_hash(name, segment) not in SELECTED
        assert locate_hash(name, pod_template_hash) in SELECTED


@given(st.text(), hashes)
def test_any_text_has_a_place(text: str, pod_template_hash: str) -> None:
    assert locate_hash(text, pod_template_hash) in HashPlace
    assert is_experiment_pod(text) in {True, False}
