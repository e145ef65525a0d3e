"""Admission: calls in progress and their bytes are bounded for each namespace."""

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import BackendUnavailableError, Reason
from skywalking_provider.server.admission import Admission


def hold(admission: Admission, stack: contextlib.ExitStack, namespace: str, size: int = 1) -> bool:
    try:
        stack.enter_context(admission.admit(namespace, size))
    except BackendUnavailableError:
        return False
    return True


@pytest.mark.parametrize(
    ("limits", "detail"),
    [
        ((2, 10**6), "1 of its calls are in progress"),
        ((10, 5000), "the requests of its 1 calls in progress have 2 KiB"),
    ],
)
def test_rejected_call_names_the_namespace_and_the_limit(limits: tuple[int, int], detail: str) -> None:
    admission = Admission(*limits)
    with (
        admission.admit("team", 3000),
        pytest.raises(BackendUnavailableError) as rejected,
        admission.admit("team", 3000),
    ):
        pass

    assert rejected.value.reason is Reason.PROVIDER_OVERLOADED
    assert str(rejected.value).startswith(f"call limit of namespace team reached: {detail}. Measure less often")


def test_namespace_holds_half_of_the_calls_and_another_is_served() -> None:
    admission = Admission(max_calls=100, max_bytes=10**6)
    with contextlib.ExitStack() as stack:
        assert [hold(admission, stack, "greedy") for _ in range(60)] == [True] * 50 + [False] * 10
        assert hold(admission, stack, "modest")

    assert repr(admission) == "<Admission: 0 calls of 0 namespaces, 1000000 bytes free>"


def test_namespace_holds_half_of_the_bytes_and_another_is_served() -> None:
    admission = Admission(max_calls=100, max_bytes=1000)
    with contextlib.ExitStack() as stack:
        assert [hold(admission, stack, "greedy", 100) for _ in range(6)] == [True] * 5 + [False]
        assert hold(admission, stack, "modest", 100)


def test_call_that_raises_is_released() -> None:
    admission = Admission(max_calls=2)
    for _ in range(10):
        with pytest.raises(RuntimeError), admission.admit("team", 1):
            raise RuntimeError

    assert repr(admission).startswith("<Admission: 0 calls of 0 namespaces")


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 300), st.booleans()), max_size=200),
    st.integers(1, 40),
    st.integers(300, 3000),
)
def test_limits_hold_and_a_namespace_without_calls_is_served_while_something_is_free(
    calls: list[tuple[str, int, bool]], max_calls: int, max_bytes: int
) -> None:
    admission, held = Admission(max_calls, max_bytes), list[tuple[str, int, contextlib.ExitStack]]()
    for namespace, size, leaves in calls:
        counts, sizes = Counter(one for one, _, _ in held), sum(one for _, one, _ in held)
        stack = contextlib.ExitStack()
        admitted = hold(admission, stack, namespace, size)
        if admitted:
            held.append((namespace, size, stack))
        elif not counts[namespace]:
            assert len(held) == max_calls or sizes + size > max_bytes
        assert len(held) <= max_calls
        assert sum(one for _, one, _ in held) <= max_bytes
        if leaves and held:
            held.pop(len(held) // 2)[2].close()
    for _, _, stack in held:
        stack.close()
    assert repr(admission) == f"<Admission: 0 calls of 0 namespaces, {max_bytes} bytes free>"
