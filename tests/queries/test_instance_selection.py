"""Selection of instances by hash: where SkyWalking has a pod's name, and what is said if no instance is found."""

from typing import Any

import pytest

from skywalking_provider.block import Instances
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason
from skywalking_provider.mock_oap.scenario import parse_scenario
from skywalking_provider.model import Phase
from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.queries.entities import select_instances
from skywalking_provider.queries.instance_selection import (
    describe_instances,
    drop_unread_attributes,
    select_by_hash,
)
from tests.analysis.harness import HarnessFactory, measure
from tests.cpu_time import measure_cpu_time

HASH, STABLE = "6c85f7bf4", "7d4f9c8b65"
LONG = "payments-gateway-reconciliation-worker-eu-west-1"  # 48 characters
UUID = "0f3c5a9d1b2e4c67a8b90123456789ab@10.244.1.7"
CUT_POD = "payments-gateway-reconciliation-worker-eu-west-1-blue-6c85x7k2q"
CUT_STABLE_POD = "payments-gateway-reconciliation-worker-eu-west-1-blue-5fd8m2nvz"
BASELINE, CANARY = f"guestbook-{HASH}-2-1-baseline-h6pnw", f"guestbook-{HASH}-2-1-canary-9zr8t"


def select(pod_template_hash: str, *known: InventoryInstance) -> list[str]:
    return select_instances(Instances(podTemplateHash=pod_template_hash), "orders", known)


def instance(name: str, **attributes: str) -> InventoryInstance:
    return InventoryInstance(name, attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {"OS Name": "Linux", "hostname": "POD", "ipv4": "10.244.1.7", "Process No.": "1", "language": "java"},
        {"Process No.": "1", "hostname": "POD", "language": "go", "OS Name": "linux"},
        {"language": "python", "OS Name": "Linux", "hostname": "POD"},
        {"language": "NodeJS", "OS Name": "linux", "hostname": "POD", "Process No.": "1"},
        {"OS Name": "Linux", "hostname": "POD", "language": "php"},
        {"os_name": "Linux 5.10", "host_name": "POD", "ipv4": "10.244.1.7", "process_no": "1", "language": "dotnet"},
        {"OS Name": "Linux", "hostname": "POD", "language": "rust"},
        {"pod": "POD", "namespace": "shop"},
        {"HOSTNAME": "POD"},
        {"Host Name": "POD"},
        {"hostName": "POD"},
        {"host.name": "POD"},
        {"k8s.pod.name": "POD"},
        {"podName": "POD"},
        {"POD_NAME": "POD"},
        {"hostname": "POD.orders.shop.svc.cluster.local"},
    ],
    ids=["java", "go", "python", "nodejs", "php", "dotnet", "rust", "mesh", *"abcdefgh"],
)
def test_hash_in_the_name_of_the_pod_in_an_attribute_selects_the_instance(attributes: dict[str, str]) -> None:
    def build(name: str, pod: str) -> InventoryInstance:
        return InventoryInstance(name, {key: value.replace("POD", pod) for key, value in attributes.items()})

    canary, stable = build(UUID, f"orders-{HASH}-9zr8t"), build("9f3c@10.244.1.8", f"orders-{STABLE}-2xkqz")

    assert select(HASH, canary, stable) == [UUID]
    assert select(STABLE, canary, stable) == ["9f3c@10.244.1.8"]


def test_name_that_oap_cut_to_70_characters_is_selected_by_the_host_name() -> None:
    pod = f"orders-fulfilment-worker-{HASH}-9zr8t"
    name = f"0f3c5a9d1b2e4c67a8b90123456789ab@{pod}"[:70]

    assert select(HASH, instance(name, hostname=pod)) == [name]
    with pytest.raises(EntityNotFoundError):
        select(HASH, instance(name))


def test_attribute_that_is_not_the_name_of_a_pod_is_not_compared() -> None:
    with pytest.raises(EntityNotFoundError):
        select(HASH, instance(UUID, image=f"orders-{HASH}-9zr8t", parent=f"orders-{HASH}-9zr8t"))


@pytest.mark.parametrize(
    "key", ["rollouts-pod-template-hash", "label.rollouts-pod-template-hash", "rollouts_pod_template_hash"]
)
def test_label_of_argo_decides_whatever_the_names_are(key: str) -> None:
    cut = InventoryInstance(f"{CUT_POD}.shop", {"pod": CUT_POD, key: HASH})
    other = InventoryInstance(f"{CUT_STABLE_POD}.shop", {"pod": CUT_STABLE_POD, key: STABLE})
    contrary = InventoryInstance(f"orders-{HASH}-9zr8t.shop", {key: STABLE})

    assert select(HASH, cut, other, contrary) == [f"{CUT_POD}.shop"]
    assert select_by_hash(HASH, "orders", [cut]).full_length is False


def test_label_of_an_experiment_selects_one_of_its_templates() -> None:
    """Argo hands its value to an Experiment's analysis, as templates.canary.podTemplateHash."""
    key = "rollouts-pod-template-hash"
    baseline = InventoryInstance(f"{BASELINE}.shop", {"pod": BASELINE, key: "68bb4b6b88"})
    canary = InventoryInstance(f"{CANARY}.shop", {"pod": CANARY, key: "6d4dfd495f"})

    assert select("6d4dfd495f", baseline, canary) == [f"{CANARY}.shop"]
    assert select("68bb4b6b88", baseline, canary) == [f"{BASELINE}.shop"]
    with pytest.raises(EntityNotFoundError, match="belongs to an Experiment"):
        select(HASH, baseline, canary)


def test_pods_of_an_experiment_are_never_mixed_with_the_canary() -> None:
    canary = f"guestbook-{HASH}-x7k2q"

    assert select(HASH, instance(BASELINE), instance(CANARY), instance(canary)) == [canary]


AGENT = (
    "If the agents do not report the pod's name, set their instance name to it (agent.instance_name of Java,"
    " SW_AGENT_INSTANCE_NAME of Java, Go and Python)"
)
CUT = "Shorten the rollout's name to 46 characters, or select the pods with instances: {name: REGEX}"
EXPERIMENT = (
    "To measure one template of an Experiment, select it with instances: {name: REGEX} by the name of its"
    " ReplicaSet, which Argo has as templates.NAME.replicaset.name"
)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([], "It has no instances in this window"),
        (
            [instance(UUID, host_name="orders-7d4f9c8b65-2xkqz", language="dotnet"), instance("b", hostname="b")],
            (
                f"The 2 instances include {UUID} (pod orders-7d4f9c8b65-2xkqz), b. The hash was compared with the name"
                f" and the attributes host_name, hostname of each. {AGENT}"
            ),
        ),
        (
            [InventoryInstance("reviews-1.shop", {"rollouts-pod-template-hash": STABLE})],
            (
                "The only instance is reviews-1.shop. The hash was compared with the name and the attributes"
                " rollouts-pod-template-hash of each. A new pod is known after its first requests"
            ),
        ),
        (
            [instance(UUID, language="python", os_name="Linux")],
            (
                f"The only instance is {UUID}. The hash was compared with the name of each, and no attribute has the"
                f" name of a pod (attributes: language, os_name). {AGENT}"
            ),
        ),
        (
            [instance(one) for one in "gfedcba"],
            (
                "The 7 instances include a, b, c, d, e. The hash was compared with the name of each, and no"
                f" attribute has the name of a pod (there are no attributes). {AGENT}"
            ),
        ),
        (
            [instance("guestbook-5fd8b7c66b-2-1-canary-9zr8t")],
            (
                "The only instance is guestbook-5fd8b7c66b-2-1-canary-9zr8t. The hash was compared with the name of"
                " each, and no attribute has the name of a pod (there are no attributes). No pod of an Experiment has"
                f" its own ReplicaSet's hash in its name. {EXPERIMENT}"
            ),
        ),
    ],
    ids=["none", "attributes", "label", "other attributes", "no attributes", "another experiment"],
)
def test_hash_that_is_not_found_is_an_error_with_what_was_compared(
    known: list[InventoryInstance], message: str
) -> None:
    with pytest.raises(EntityNotFoundError) as caught:
        select(HASH, *known)

    assert str(caught.value) == f"instances: no instance of 'orders' matches {HASH}. {message}"


def test_hash_in_pods_of_an_experiment_only_is_an_error_with_the_cause() -> None:
    with pytest.raises(EntityNotFoundError) as caught:
        select(HASH, instance(BASELINE), instance(CANARY), instance(f"guestbook-{STABLE}-2xkqz"))

    assert str(caught.value) == (
        f"instances: no instance of 'orders' matches {HASH}: {BASELINE} belongs to an Experiment, as 2 of the 3"
        f" instances do. Its pods have the new version's hash in their names whatever version they run. {EXPERIMENT}"
    )


def test_hash_that_kubernetes_cut_is_a_permanent_error_with_the_remedy() -> None:
    detail = (
        f"instances: no instance of 'orders' matches {HASH}: Kubernetes cuts pod names at 63 characters, and the hash"
        f" is not complete in {CUT_POD}. {CUT}"
    )
    with pytest.raises(ProviderError) as caught:
        select(HASH, instance(CUT_POD), instance(CUT_STABLE_POD))

    assert (caught.value.reason, str(caught.value)) == (Reason.QUERY_INVALID, detail)
    assert not isinstance(caught.value, EntityNotFoundError)
    with pytest.raises(ProviderError) as beside_experiment:
        select(HASH, instance(CUT_POD), instance(BASELINE))
    assert (beside_experiment.value.reason, str(beside_experiment.value)) == (Reason.QUERY_INVALID, detail)
    with pytest.raises(EntityNotFoundError) as waiting:  # the canary of a rollout with a shorter name may be new
        select(HASH, instance(CUT_POD), instance(f"orders-{STABLE}-2xkqz"))
    assert str(waiting.value) == detail


def test_message_has_room_for_the_next_step_whatever_the_names_are() -> None:
    """Argo's message has 1,024 characters."""
    pod = f"{LONG[:46]}-{STABLE}-2xkqz"
    real = [instance(f"{number:032x}@10.244.111.1", hostname=pod) for number in range(9)]
    long = [instance(str(number) * 5000, hostname="x" * 100_000) for number in range(9)]

    unknown = [InventoryInstance("a", {f"{key}{'k' * 5000}": "v" for key in range(9)})]

    for known in (unknown, real, long):
        with pytest.raises(EntityNotFoundError) as caught:
            select(HASH, *known)
        assert str(caught.value).endswith(AGENT)
        assert len(str(caught.value)) < 800
    assert str(caught.value).count("…") == 2


@pytest.mark.parametrize(
    ("names", "described"),
    [
        (["a" * 140], f"the only instance is {'a' * 140}"),
        (["a" * 141], f"the only instance is {'a' * 139}…"),
        (["a" * 100, "b" * 100, "c" * 100], f"the 3 instances include {'a' * 100}, {'b' * 100}, {'c' * 100}"),
        (["a" * 100, "b" * 100, "c" * 101], f"the 3 instances include {'a' * 100}, {'b' * 100}"),
    ],
)
def test_description_has_names_up_to_its_length(names: list[str], described: str) -> None:
    assert describe_instances([instance(name) for name in names]) == described


def test_ten_thousand_instances_are_compared_in_less_than_two_seconds_of_cpu() -> None:
    labels = {f"label-{number}": "x" * 60 for number in range(20)}
    known = [
        InventoryInstance(f"{number:032x}@10.0.0.1", labels | {"hostname": f"{CUT_POD[:58]}{number:05}"})
        for number in range(10_000)
    ]
    with measure_cpu_time() as used, pytest.raises(ProviderError):
        select(HASH, *known)

    assert used.seconds < 2


SCENARIOS = {
    "experiment": f"""
        services:
          - name: orders
            instances:
              - {{name: guestbook-{STABLE}-2xkqz, traffic: [{{calls: 100}}]}}
              - {{name: {BASELINE}, attributes: {{pod: {BASELINE}}}, traffic: [{{calls: 100}}]}}
              - {{name: {CANARY}, attributes: {{pod: {CANARY}}}, traffic: [{{calls: 10, failures: 1}}]}}
            traffic: [{{calls: 210}}]
        """,
    "48 characters": f"""
        services:
          - name: orders
            instances:
              - {{name: {LONG}-{HASH}x7k2q, traffic: [{{calls: 10}}]}}
              - {{name: {LONG}-5fd8b7c66m2nvz, traffic: [{{calls: 10, failures: 5}}]}}
            traffic: [{{calls: 20}}]
        """,
    "53 characters": f"""
        services:
          - name: orders
            instances:
              - {{name: {CUT_POD}, traffic: [{{calls: 10}}]}}
              - {{name: {CUT_STABLE_POD}, traffic: [{{calls: 10}}]}}
            traffic: [{{calls: 20}}]
        """,
}
SUCCESS = "result >= 0.95"


async def measure_in(harness: HarnessFactory, scenario: str, **selector: str) -> Any:
    async with harness(parse_scenario(SCENARIOS[scenario], "test")) as b:
        return await measure(b, SUCCESS, sli="success-rate", service="orders", instances=selector)


async def test_bad_canary_of_an_experiment_is_not_judged_with_the_baseline(harness: HarnessFactory) -> None:
    by_hash = await measure_in(harness, "experiment", podTemplateHash=HASH)
    recipe = f"guestbook-{HASH}-2-1-canary-[a-z0-9]{{5}}([.@].*)?"  # as Argo resolves it, see pod_names.json
    by_recipe = await measure_in(harness, "experiment", name=recipe)

    assert by_hash.phase is Phase.RUNNING
    assert by_hash.message.startswith(f"ENTITY_NOT_FOUND instances: no instance of 'orders' matches {HASH}: {BASELINE}")
    assert (by_recipe.phase, by_recipe.value) == (Phase.FAILED, "0.9")


async def test_canary_of_a_long_rollout_is_found_or_an_error_at_once(harness: HarnessFactory) -> None:
    found = await measure_in(harness, "48 characters", podTemplateHash=HASH)
    cut = await measure_in(harness, "53 characters", podTemplateHash="6c85f7bf4d")

    assert (found.phase, found.value) == (Phase.SUCCESSFUL, "1")
    assert cut.phase is Phase.ERROR
    assert cut.message.startswith(
        "QUERY_INVALID instances: no instance of 'orders' matches 6c85f7bf4d: Kubernetes cuts"
    )
    assert "Shorten the rollout's name to 46 characters" in cut.message


async def test_message_of_a_name_with_63_characters_says_that_an_experiment_may_share_it(
    harness: HarnessFactory,
) -> None:
    async with harness(parse_scenario(SCENARIOS["48 characters"], "test")) as b:
        failed = await measure(
            b, "result < 0.5", sli="success-rate", service="orders", instances={"podTemplateHash": HASH}
        )

    assert (
        f" · 1 instance of {HASH} (63-character pod names, which pods of an Experiment may have, too) · "
        in failed.message
    )


def test_attributes_that_no_selection_reads_are_dropped() -> None:
    read = {"Pod-Name": "a", "k8s.pod.name": "b", "host_name": "c", "rollouts-pod-template-hash": "d"}
    known = [InventoryInstance("one", {"Jar Dependencies": "x", **read, "pods": "y"}), InventoryInstance("two", {})]

    assert drop_unread_attributes(iter(known)) == (InventoryInstance("one", read), InventoryInstance("two", {}))
