"""Last lists of instances: bounded in size, and without lists that are too long."""

import sys

from skywalking_provider.oap.api.inventory import InventoryInstance
from skywalking_provider.oap.traffic.instance_lists import MAX_LIST_CHARACTERS, InstanceList, InstanceLists

MEBIBYTE = 1024 * 1024


def instance_list(count: int, *, name: str = "reviews-6c85f7bf4-x7k2d", characters: int = 100) -> InstanceList:
    pods = (InventoryInstance(f"{name}-{at}", {"hostname": f"{name}-{at}"}) for at in range(count))
    return InstanceList(tuple(pods), characters)


def bytes_in_memory(lists: list[InstanceList]) -> int:
    return sum(
        sum(map(sys.getsizeof, (one, one.name, one.attributes, *one.attributes.keys(), *one.attributes.values())))
        for listed in lists
        for one in listed.instances
    )


def test_last_list_replaces_the_one_before() -> None:
    lists = InstanceLists()
    lists.put("reviews", instance_list(1))
    lists.put("reviews", instance_list(2))

    assert lists.get("reviews") == instance_list(2)
    assert lists.get("ratings") is None


def test_list_that_is_too_long_is_not_kept_nor_is_the_one_before() -> None:
    lists = InstanceLists()
    lists.put("reviews", instance_list(1, characters=MAX_LIST_CHARACTERS))
    assert lists.get("reviews")

    lists.put("reviews", instance_list(1, characters=MAX_LIST_CHARACTERS + 1))
    assert lists.get("reviews") is None


def test_many_lists_take_bounded_memory_and_the_latest_are_kept() -> None:
    lists = InstanceLists()
    for at in range(20_000):
        lists.put(f"service-{at}", instance_list(at % 7))

    kept = [one for at in range(20_000) if (one := lists.get(f"service-{at}"))]
    assert 1000 < len(lists) == len(kept) < 20_000
    assert lists.get("service-19999") == instance_list(19_999 % 7)
    assert lists.bytes <= 4 * MEBIBYTE
    assert bytes_in_memory(kept) <= 4 * MEBIBYTE


def test_empty_lists_and_long_names_take_bounded_memory() -> None:
    lists = InstanceLists()
    for at in range(20_000):
        lists.put(f"service-{at}", instance_list(0))
        lists.put(f"long-{at}", instance_list(2, name="x" * 8000))

    assert len(lists) <= 4 * MEBIBYTE // 512
    assert lists.bytes <= 4 * MEBIBYTE
