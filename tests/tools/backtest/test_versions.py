"""Tests of the versions of a service and their deploys."""

import pytest

from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.tools.backtest.versions import (
    PodVersion,
    VersionCalls,
    find_deploys,
    find_reigns,
    read_version,
)


def calls(pod_template_hash: str, *spans: tuple[int, int, int], length: int = 100) -> VersionCalls:
    """Build calls: each span has its first minute, its last one and the calls of each."""
    minutes = [0] * length
    for start, end, count in spans:
        minutes[start:end] = [count] * (end - start)
    return VersionCalls(PodVersion("reviews", pod_template_hash), tuple(minutes))


@pytest.mark.parametrize(
    ("name", "attributes", "version"),
    [
        ("reviews-7d4f9c8b65-2xkqz", {}, ("reviews", "7d4f9c8b65")),
        ("reviews-7d4f9c8b65-2xkqz.bookinfo", {}, ("reviews", "7d4f9c8b65")),
        ("0a1b@10.0.0.1", {"hostname": "my-app-v2-6c85f7bf4-9zr8t"}, ("my-app-v2", "6c85f7bf4")),
        ("reviews-7d4f9c8b65-2xkqz", {"rollouts-pod-template-hash": "7d4f9c8b65"}, ("reviews", "7d4f9c8b65")),
        ("reviews-7d4f9c8b65-2xkqz", {"rollouts-pod-template-hash": "6c85f7bf4"}, None),
        ("reviews-6c85f7bf4-2-1-stable-2xkqz", {}, None),
        ("0a1b@10.0.0.1", {}, None),
        ("mysql-0", {}, None),
    ],
)
def test_version_of_an_instance_is_that_of_its_pod(
    name: str, attributes: dict[str, str], version: tuple[str, str] | None
) -> None:
    assert read_version(InventoryInstance(name, attributes)) == (version and PodVersion(*version))


def test_deploys_are_the_minutes_of_a_new_version_beside_the_one_with_most_calls() -> None:
    old, bad, good = calls("old", (0, 80, 100)), calls("bad", (20, 30, 10)), calls("good", (60, 100, 10))

    deploys = find_deploys([good, old, bad])

    found = [(one.canary.pod_template_hash, one.stable.pod_template_hash, one.start, one.end) for one in deploys]
    assert found == [("bad", "old", 20, 30), ("good", "old", 60, 80)]


def test_versions_that_both_begin_with_the_history_are_a_deploy_of_the_smaller_one() -> None:
    (deploy,) = find_deploys([calls("many", (0, 100, 90)), calls("few", (0, 50, 10))])

    assert (deploy.canary.pod_template_hash, deploy.start, deploy.end) == ("few", 0, 50)


def test_a_deploy_has_short_gaps_and_ends_before_a_long_one() -> None:
    old = calls("old", (0, 100, 90))

    assert find_deploys([old, calls("new", (10, 20, 5), (28, 40, 5))])[0].end == 40
    assert find_deploys([old, calls("new", (10, 20, 5), (60, 70, 5))])[0].end == 20


def test_a_single_version_and_one_without_calls_are_no_deploy() -> None:
    assert find_deploys([calls("old", (0, 100, 90)), calls("idle")]) == []
    assert find_deploys([calls("old", (0, 20, 90)), calls("later", (60, 100, 90))]) == []


def test_reigns_are_the_minutes_of_the_newest_version() -> None:
    reigns = find_reigns([calls("new", (60, 100, 10)), calls("idle"), calls("old", (0, 80, 100))])

    assert [(one.version.pod_template_hash, one.start, one.end) for one in reigns] == [("old", 0, 60), ("new", 60, 100)]
