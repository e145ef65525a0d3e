"""Fair queue: namespaces are served round robin."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.model import Deadline
from skywalking_provider.oap.traffic.fair_queue import FairQueue
from skywalking_provider.oap.traffic.shared_request import SharedRequest

namespaces = st.sampled_from("abcd")


def request(*names: str) -> SharedRequest:
    return SharedRequest(Deadline(0), list(names))


def drain(queue: FairQueue) -> list[SharedRequest]:
    order: list[SharedRequest] = []
    while following := queue.next():
        order.append(following)
    return order


def test_request_waits_for_one_of_a_namespace_with_a_thousand() -> None:
    queue = FairQueue()
    for _ in range(1000):
        queue.add(request("greedy"))
    modest = request("modest")
    queue.add(modest)

    assert drain(queue).index(modest) == 1


@given(st.lists(namespaces))
def test_every_request_is_served_once_and_in_order_within_its_namespace(names: list[str]) -> None:
    queue = FairQueue()
    requests = [request(name) for name in names]
    for one in requests:
        queue.add(one)

    order = drain(queue)

    assert Counter(map(id, order)) == Counter(map(id, requests))
    for name in set(names):
        assert [one for one in order if one.namespaces == [name]] == [
            one for one in requests if one.namespaces == [name]
        ]


@given(st.lists(namespaces))
def test_namespaces_are_served_round_robin(names: list[str]) -> None:
    queue = FairQueue()
    for name in names:
        queue.add(request(name))

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
    queue = FairQueue()
    for one in names:
        queue.add(request(one))

    before = queue.position(name)
    new = request(name)
    queue.add(new)

    assert drain(queue).index(new) <= before


@given(st.lists(st.lists(namespaces, min_size=1, max_size=3, unique=True)), st.randoms(use_true_random=False))
def test_request_of_several_namespaces_is_served_once_and_can_be_removed(
    names: list[list[str]], random: object
) -> None:
    queue = FairQueue()
    requests = [request(*names) for names in names]
    for one in requests:
        queue.add(one)
    leaving = [one for one in requests if random.random() < 0.3]  # type: ignore[attr-defined]
    for one in leaving:
        queue.remove(one)

    order = drain(queue)

    assert len(queue) == 0
    assert set(map(id, order)) == {id(one) for one in requests} - {id(one) for one in leaving}
    assert len(order) == len(requests) - len(leaving)
