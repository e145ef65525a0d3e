"""The memory of slow conditions and their namespaces."""

import pytest

from skywalking_provider.conditions.slow_conditions import SlowConditions

_KEY, _OTHER = ("result > 1", ""), ("result > 2", "")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slow_conditions(clock: Clock) -> SlowConditions:
    return SlowConditions(0.1, clock)


def test_slow_condition_is_suspected_for_as_long_as_it_is_remembered(
    slow_conditions: SlowConditions, clock: Clock
) -> None:
    slow_conditions.add("slow", _KEY)
    clock.now = 3600
    assert slow_conditions.is_suspected("slow", _KEY)
    assert not slow_conditions.is_suspected("other", _KEY)


def test_unknown_condition_of_a_slow_namespace_is_suspected_for_a_minute(
    slow_conditions: SlowConditions, clock: Clock
) -> None:
    slow_conditions.add("slow", _KEY)
    clock.now = 59
    assert slow_conditions.is_suspected("slow", _OTHER)
    assert not slow_conditions.is_suspected("other", _OTHER)
    clock.now = 61
    assert not slow_conditions.is_suspected("slow", _OTHER)


def test_condition_known_as_fast_is_not_suspected_until_it_is_slow(slow_conditions: SlowConditions) -> None:
    slow_conditions.add_fast("slow", _OTHER)
    slow_conditions.add("slow", _KEY)
    assert not slow_conditions.is_suspected("slow", _OTHER)
    slow_conditions.add("slow", _OTHER)
    assert slow_conditions.is_suspected("slow", _OTHER)


@pytest.mark.parametrize(("cpu_seconds", "slow"), [(0.09, False), (0.11, True)])
def test_condition_that_uses_less_cpu_time_than_the_slice_is_forgotten_with_its_namespace(
    slow_conditions: SlowConditions, cpu_seconds: float, *, slow: bool
) -> None:
    slow_conditions.add("slow", _KEY)
    slow_conditions.record_duration("slow", _KEY, cpu_seconds)
    assert slow_conditions.is_suspected("slow", _KEY) is slow
    assert slow_conditions.is_suspected("slow", _OTHER) is slow


def test_fast_condition_of_a_slow_namespace_does_not_clear_it(slow_conditions: SlowConditions) -> None:
    slow_conditions.add("slow", _KEY)
    slow_conditions.record_duration("slow", _OTHER, 0.0)
    assert slow_conditions.is_suspected("slow", ("result > 3", ""))


def test_memory_of_slow_conditions_is_bounded_and_drops_the_oldest(slow_conditions: SlowConditions) -> None:
    for i in range(300):
        slow_conditions.add("slow", (str(i),))
    assert len(slow_conditions) == 64
    for i in range(300):
        slow_conditions.add(str(i), _KEY)
    assert len(slow_conditions) == 256
    assert slow_conditions.is_suspected("299", _KEY)
    assert not slow_conditions.is_suspected("0", _KEY)
