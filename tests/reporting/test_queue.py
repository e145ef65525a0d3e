"""Queue of events: bounded, one entry for each UUID, fair by namespace."""

import tracemalloc
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.reporting.event import SkyWalkingEvent, build_events
from skywalking_provider.reporting.queue import MAX_EVENTS, EventQueue
from tests.reporting.harness import RUN, build_event

(TEMPLATE,) = build_events(build_event(), 5)


def event(uuid: str, namespace: str = "a", message: str = "") -> SkyWalkingEvent:
    return replace(TEMPLATE, uuid=uuid, namespace=namespace, message=message)


def test_later_event_of_a_uuid_replaces_the_queued_one_in_its_place() -> None:
    queue = EventQueue(10)
    for one in (event("1", message="old"), event("2"), event("1", message="new")):
        assert queue.put(one)

    assert [(one.uuid, one.message) for one in queue.take(10)] == [("1", "new"), ("2", "")]
    assert len(queue) == 0


def test_update_has_a_place_in_a_full_queue() -> None:
    queue = EventQueue(2)
    assert [queue.put(event(uuid, namespace=uuid)) for uuid in ("1", "2", "3")] == [True, True, False]

    assert queue.put(event("1", namespace="1", message="new"))
    assert queue.take(1)[0].message == "new"


def test_namespaces_are_served_round_robin() -> None:
    queue = EventQueue(100)
    for number in range(20):
        queue.put(event(f"a{number}", "a"))
    queue.put(event("b", "b"))

    assert "b" in [one.uuid for one in queue.take(3)]


def test_one_namespace_leaves_places_for_others() -> None:
    queue = EventQueue(10)
    accepted = [queue.put(event(f"a{number}", "a")) for number in range(20)]

    assert accepted == [True] * 5 + [False] * 15
    assert queue.put(event("b", "b"))


@given(
    st.lists(
        st.one_of(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), st.integers(1, 4)), min_size=1, max_size=80
    )
)
def test_queue_is_bounded_and_returns_the_latest_of_what_it_accepted(steps: list[tuple[str, int] | int]) -> None:
    queue, expected, number = EventQueue(8), dict[str, str](), 0
    for step in steps:
        if isinstance(step, int):
            for one in queue.take(step):
                assert expected.pop(one.uuid) == one.message
        else:
            number += 1
            one = event(f"{step[0]}{step[1]}", step[0], str(number))
            has_place = one.uuid in expected or Counter(uuid[0] for uuid in expected)[step[0]] < 8 - len(expected)
            assert queue.put(one) is has_place
            if has_place:
                expected[one.uuid] = one.message
        assert len(queue) == len(expected) <= 8
    assert {one.uuid: one.message for one in queue.take(100)} == expected


def test_full_queue_of_the_largest_events_takes_bounded_memory() -> None:
    events = 100
    queue = EventQueue(events)
    tracemalloc.start()
    try:
        for number in range(3 * events):
            text, name = f"{number}{'é' * 4000}", f"{number}-{'n' * 240}"
            run = replace(RUN, uid=name[:36], name=name, owner_name=name, namespace=f"team-{number % 50}")
            for one in build_events(build_event(metric=name, message=text[:1024], value=text, run=run), 5):
                queue.put(one)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(queue) > events // 2
    assert size / events * MAX_EVENTS < 8 * 1024 * 1024


def test_places_are_free_again_after_events_are_taken() -> None:
    queue = EventQueue(4)
    for number in range(20):
        assert queue.put(event(str(number)))
        assert [one.uuid for one in queue.take(5)] == [str(number)]
