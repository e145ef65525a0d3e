"""Tests of cached suggestions with a limited number of comparisons."""

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.support import suggester as module
from skywalking_provider.support.suggester import ComparisonBudget, Suggester
from tests.cpu_time import measure_cpu_time


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def new_suggester(clock: Clock, *, per_second: float = 1000, burst: float = 2000) -> Suggester:
    return Suggester(ComparisonBudget(clock, per_second, burst), clock)


def test_hints_beyond_the_budget_have_the_number_of_names_only() -> None:
    clock = Clock()
    suggest = new_suggester(clock)
    names = dict.fromkeys(f"orders-{number:03}" for number in range(900))

    hints = [suggest(f"orders-{number}x", names, "services") for number in range(4)]

    assert [hint.startswith("Did you mean") for hint in hints] == [True, True, False, False]
    assert hints[2] == "Compare it with the 900 known services."
    clock.seconds += 1
    assert suggest("orders-2x", names, "services").startswith("Did you mean")


def test_repeated_hint_is_cached_and_needs_no_budget() -> None:
    clock = Clock()
    suggest = new_suggester(clock, per_second=0, burst=200)

    hints = {suggest("ordrs", ["orders"], "services") for _ in range(1000)}

    assert hints == {"Did you mean orders?"}
    assert suggest("order", ["orders"], "services") == "Compare it with the known services."


def test_hint_of_another_number_of_names_is_another_hint() -> None:
    suggest = new_suggester(Clock())

    assert suggest("ordrs", ["web"], "services") == "Known services: web."
    assert suggest("ordrs", ["web", "orders"], "services") == "Did you mean orders?"
    assert suggest("ordrs", ["order_count"], "metrics") == "Did you mean order_count?"


def test_cached_hint_expires() -> None:
    clock = Clock()
    suggest = new_suggester(clock)
    assert suggest("ordrs", ["web"], "services") == "Known services: web."
    clock.seconds += 301

    assert suggest("ordrs", ["orders"], "services") == "Did you mean orders?"


def test_long_name_is_neither_compared_nor_cached() -> None:
    suggest = new_suggester(Clock())

    assert suggest("x" * 100_000, ["orders"], "services") == "Compare it with the known services."
    assert not suggest._hints


def test_hints_are_bounded() -> None:
    suggest = new_suggester(Clock(), burst=1e9)

    for number in range(2000):
        suggest(f"ordrs{number}", ["orders"], "services")

    assert len(suggest._hints) == module._CACHED_HINTS


def test_100_unknown_names_each_minute_take_little_cpu_time() -> None:
    clock = Clock()
    suggest = Suggester(ComparisonBudget(clock), clock)
    names = {f"agent::checkout-service-{number:05}.team-blue": 1 for number in range(9_999)}

    with measure_cpu_time() as used:
        for minute in range(10):
            clock.seconds = 60.0 * minute
            for number in range(100):
                suggest(f"agent::checkout-service-{number}.team-blues", names, "services")

    assert used.seconds < 1  # 60 ms; 200 s with difflib


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5000)), max_size=50))
def test_budget_never_grants_more_than_burst_and_rate(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    budget = ComparisonBudget(clock, 1000, 3000)
    taken = 0

    for pause, comparisons in steps:
        clock.seconds += pause
        taken += comparisons if budget.take(comparisons) else 0
        assert taken <= 3000 + 1000 * clock.seconds + 1e-6
