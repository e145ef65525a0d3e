"""Namespaces take turns: who asks much waits for himself, not others for him."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.model import Deadline
from skywalking_provider.oap.traffic.fair_queue import FairQueue
from skywalking_provider.oap.traffic.shared_request import SharedRequest

namespaces = st.sampled_from("abcd")


def errand(*names: str) -> SharedRequest:
    return SharedRequest(Deadline(0), list(names))


def served(turns: FairQueue) -> list[SharedRequest]:
    order: list[SharedRequest] = []
    while following := turns.next():
        order.append(following)
    return order


def test_request_waits_for_one_of_a_namespace_with_a_thousand() -> None:
    turns = FairQueue()
    for _ in range(1000):
        turns.add(errand("greedy"))
    modest = errand("modest")
    turns.add(modest)

    assert served(turns).index(modest) == 1


@given(st.lists(namespaces))
def test_every_request_is_served_once_and_in_order_within_its_namespace(asked: list[str]) -> None:
    turns = FairQueue()
    errands = [errand(name) for name in asked]
    for one in errands:
        turns.add(one)

    order = served(turns)

    assert Counter(map(id, order)) == Counter(map(id, errands))
    for name in set(asked):
        assert [one for one in order if one.namespaces == [name]] == [
            one for one in errands if one.namespaces == [name]
        ]


@given(st.lists(namespaces))
def test_namespaces_are_served_round_robin(asked: list[str]) -> None:
    turns = FairQueue()
    for name in asked:
        turns.add(errand(name))

    left, since = Counter(asked), Counter[str]()
    for one in served(turns):
        (name,) = one.namespaces
        for other in left:
            if other != name and left[other]:
                since[other] += 1
                assert since[other] <= len(set(asked)) - 1  # turns of others in a row
        left[name] -= 1
        since[name] = 0


@given(st.lists(namespaces), namespaces)
def test_position_is_an_upper_bound(asked: list[str], name: str) -> None:
    turns = FairQueue()
    for one in asked:
        turns.add(errand(one))

    before = turns.position(name)
    newcomer = errand(name)
    turns.add(newcomer)

    assert served(turns).index(newcomer) <= before


@given(st.lists(st.lists(namespaces, min_size=1, max_size=3, unique=True)), st.randoms(use_true_random=False))
def test_request_of_several_namespaces_is_served_once_and_can_be_removed(
    asked: list[list[str]], random: object
) -> None:
    turns = FairQueue()
    errands = [errand(*names) for names in asked]
    for one in errands:
        turns.add(one)
    leaving = [one for one in errands if random.random() < 0.3]  # type: ignore[attr-defined]
    for one in leaving:
        turns.remove(one)

    order = served(turns)

    assert len(turns) == 0
    assert set(map(id, order)) == {id(one) for one in errands} - {id(one) for one in leaving}
    assert len(order) == len(errands) - len(leaving)
