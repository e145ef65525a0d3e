"""Fair queue: namespaces are served round robin."""

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.model import Deadline
from skywalking_provider.oap.traffic.shared_request import SharedRequest
from skywalking_provider.support.fair_queue import FairQueue

namespaces = st.sampled_from("abcd")


def request(*names: str) -> SharedRequest:
    return SharedRequest(Deadline(0), list(names))


def drain(queue: FairQueue[SharedRequest]) -> list[SharedRequest]:
    order: list[SharedRequest] = []
    while following := queue.next():
        order.append(following)
    return order


def test_request_waits_for_one_of_a_namespace_with_a_thousand() -> None:
    queue = FairQueue[SharedRequest]()
    for _ in range(1000):
        queue.add(request("greedy"), ["greedy"])
    modest = request("modest")
    queue.add(modest, modest.namespaces)

    assert drain(queue).index(modest) == 1


@given(st.lists(namespaces))
def test_every_request_is_served_once_and_in_order_within_its_namespace(names: list[str]) -> None:
    queue = FairQueue[SharedRequest]()
    requests = [request(name) for name in names]
    for one in requests:
        queue.add(one, one.namespaces)

    order = drain(queue)

    assert Counter(map(id, order)) == Counter(map(id, requests))
    for name in set(names):
        assert [one for one in order if one.namespaces == [name]] == [
            one for one in requests if one.namespaces == [name]
        ]


@given(st.lists(namespaces))
def test_namespaces_are_served_round_robin(names: list[str]) -> None:
    queue = FairQueue[SharedRequest]()
    for name in names:
        queue.add(request(name), [name])

    left, since = Counter(names), Counter[str]()
    for one in drain(queue):
        (name,) = one.namespaces
        for other in left:
            if other != name and left[other]:
                since[other] += 1
                assert since[other] <= len(set(names)) - 1  # consecutive requests of other namespaces
        left[name] -= 1
        since[name] = 0


@given(st.lists(namespaces), namespaces)
def test_position_is_an_upper_bound(names: list[str], name: str) -> None:
    queue = FairQueue[SharedRequest]()
    for one in names:
        queue.add(request(one), [one])

    before = queue.position(name)
    new = request(name)
    queue.add(new, new.namespaces)

    assert drain(queue).index(new) <= before


@given(st.lists(st.lists(namespaces, min_size=1, max_size=3, unique=True)), st.randoms(use_true_random=False))
def test_request_of_several_namespaces_is_served_once_and_can_be_removed(
    names: list[list[str]], random: object
) -> None:
    queue = FairQueue[SharedRequest]()
    requests = [request(*names) for names in names]
    for one in requests:
        queue.add(one, one.namespaces)
    leaving = [one for one in requests if random.random() < 0.3]  # type: ignore[attr-defined]
    for one in leaving:
        queue.remove(one)

    order = drain(queue)

    assert len(queue) == 0
    assert set(map(id, order)) == {id(one) for one in requests} - {id(one) for one in leaving}
    assert len(order) == len(requests) - len(leaving)


def test_tenant_with_cheap_items_is_served_before_one_with_expensive_items() -> None:
    queue = FairQueue[str](cost=0.001)
    for number in range(3):
        queue.add(f"expensive {number}", ["greedy"])
    order = []
    while following := queue.next():
        order.append(following)
        queue.charge(*(("greedy", 1.0) if following.startswith("expensive") else ("modest", 0.01)))
        if len(order) < 8:
            queue.add(f"cheap {len(order)}", ["modest"])

    assert order == ["expensive 0", *(f"cheap {number}" for number in range(1, 8)), "expensive 1", "expensive 2"]


def test_tenant_that_returns_does_not_escape_what_it_has_used() -> None:
    queue = FairQueue[str](cost=0.001)
    queue.add("greedy 1", ["greedy"])
    queue.add("modest 1", ["modest"])
    assert queue.next() == "greedy 1"
    queue.charge("greedy", 1.0)
    queue.add("modest 2", ["modest"])
    queue.add("greedy 2", ["greedy"])

    assert [queue.next() for _ in range(4)] == ["modest 1", "modest 2", "greedy 2", None]


def test_tenant_pays_for_its_last_item() -> None:
    queue = FairQueue[str](cost=0.001)
    queue.add("greedy 1", ["greedy"])
    assert queue.next() == "greedy 1"
    queue.charge("greedy", 1.0)

    queue.add("greedy 2", ["greedy"])
    queue.add("modest 1", ["modest"])
    queue.add("modest 2", ["modest"])

    assert [queue.next() for _ in range(4)] == ["modest 1", "modest 2", "greedy 2", None]


def test_memory_of_tenants_without_items_is_released() -> None:
    queue = FairQueue[int]()
    for number in range(1000):
        queue.add(number, [str(number)])
        queue.add(-number - 1, ["constant"])
        queue.next()
    for _ in range(1000):
        queue.next()
    assert len(queue._used) < 10
    while queue.next() is not None:
        pass
    assert not queue._used
    assert not queue._order


@given(st.lists(namespaces), st.sets(namespaces))
def test_tenants_that_are_not_eligible_keep_their_items_and_their_order(names: list[str], eligible: set[str]) -> None:
    queue, whole = FairQueue[SharedRequest](), FairQueue[SharedRequest]()
    requests = [request(name) for name in names]
    for one in requests:
        queue.add(one, one.namespaces)
        if one.namespaces[0] in eligible:
            whole.add(one, one.namespaces)

    served = []
    while following := queue.next(eligible.__contains__):
        served.append(following)

    assert served == drain(whole)
    left = [one.namespaces for one in drain(queue)]
    assert Counter(map(tuple, left)) == Counter((name,) for name in names if name not in eligible)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_item_is_in_the_queue_from_its_first_addition_to_its_removal(steps: list[tuple[int, bool]]) -> None:
    queue, expected = FairQueue[int](), set[int]()
    for item, is_added in steps:
        if is_added:
            queue.add(item, [f"tenant {item % 2}"])
            expected.add(item)
        else:
            queue.remove(item)  # also one that is not in the queue
            expected.discard(item)

        assert len(queue) == len(expected)
        assert all((one in queue) == (one in expected) for one in range(6))
        assert queue.length("tenant 1") == sum(one % 2 for one in expected)


@given(st.integers(0, 20))
def test_tenant_that_comes_later_is_served_alternately_from_then_on(served: int) -> None:
    queue = FairQueue[str]()
    for number in range(30):
        queue.add(f"early {number}", ["early"])
    for _ in range(served):
        queue.next()
    for number in range(30):
        queue.add(f"late {number}", ["late"])

    order = [(queue.next() or "").split()[0] for _ in range(10)]

    assert abs(order[:9].count("early") - order[:9].count("late")) == 1
    assert all(one != other for one, other in itertools.pairwise(order))


@pytest.mark.parametrize("charges", [[], [1.0], [1.0, 1.0], [0.5, 0.5], [2.0, 1.0, 1.0]])
def test_charge_of_the_common_cost_is_worth_one_item(charges: list[float]) -> None:
    queue = FairQueue[str]()  # an item costs 1
    for number in range(10):
        queue.add(f"charged {number}", ["charged"])
        queue.add(f"other {number}", ["other"])
    assert queue.next() == "charged 0"
    for cost in charges:
        queue.charge("charged", cost)

    order = [queue.next() for _ in range(10)]

    # The other tenant has its turn and one more for each item that was charged; a tie may add one.
    assert order.index("charged 1") - sum(charges) in (1, 2)


@pytest.mark.parametrize(
    ("lengths", "tenant", "position"),
    [
        ({}, "new", 0),
        ({"a": 3}, "new", 1),
        ({"a": 3, "b": 3}, "new", 2),
        ({"a": 3, "b": 1, "own": 1}, "own", 4),
        ({"a": 3, "b": 1, "own": 2}, "own", 6),
        ({"own": 2}, "own", 2),
    ],
)
def test_position_counts_one_round_of_the_others_for_each_own_item(
    lengths: dict[str, int], tenant: str, position: int
) -> None:
    queue = FairQueue[str]()
    for name, length in lengths.items():
        for number in range(length):
            queue.add(f"{name} {number}", [name])

    assert queue.position(tenant) == position
    queue.add("last", [tenant])
    order = [queue.next() for _ in range(position + 1)]
    assert order[-1] == "last"


@given(st.lists(st.tuples(namespaces, st.floats(0.01, 1.0)), max_size=60), st.integers(1, 5))
def test_tenants_that_always_wait_use_about_the_same(costs: list[tuple[str, float]], arrivals: int) -> None:
    queue = FairQueue[tuple[int, str, float]](cost=0.001)
    always = ("always 1", "always 2")
    used = dict.fromkeys(always, 0.0)
    cost = {"always 1": 1.0, "always 2": 0.05}
    pending = list(enumerate(costs))
    for number in range(200):
        for tenant in always:
            queue.add((number, tenant, cost[tenant]), [tenant])
        for index, (tenant, seconds) in pending[:arrivals]:
            queue.add((index, tenant, seconds), [tenant])
        del pending[:arrivals]
        served = queue.next()
        assert served is not None
        _, tenant, seconds = served
        queue.charge(tenant, seconds)
        if tenant in used:
            used[tenant] += seconds + 0.001
        assert abs(used["always 1"] - used["always 2"]) <= 1.1
