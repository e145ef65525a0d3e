"""Counts behind OAP's ratios: exact up to 10,000 calls per bucket, bounds above."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.queries.indicators.counts import Counts, compute_counts, sum_counts, weighted_mean


def oap_ratio(successes: int, calls: int) -> int:
    """PercentMetrics: integer division."""
    return successes * 10_000 // calls


@given(st.integers(1, 10_000).flatmap(lambda calls: st.tuples(st.integers(0, calls), st.just(calls))))
def test_counts_up_to_ten_thousand_calls_per_bucket_are_exact(case: tuple[int, int]) -> None:
    successes, calls = case

    found = compute_counts(oap_ratio(successes, calls), calls)

    assert (found.low, found.high, found.calls) == (successes, successes, calls)


@given(st.integers(10_001, 10**9).flatmap(lambda calls: st.tuples(st.integers(0, calls), st.just(calls))))
def test_counts_above_ten_thousand_calls_bound_the_successes_and_the_rate_is_the_lower_bound(
    case: tuple[int, int],
) -> None:
    successes, calls = case

    found = compute_counts(oap_ratio(successes, calls), calls)

    assert found.low <= successes <= found.high <= calls
    assert found.success_rate <= successes / calls <= found.success_rate_at_most


CASES = st.integers(1, 10**7).flatmap(lambda calls: st.tuples(st.integers(0, calls), st.just(calls)))


@given(CASES)
def test_bounds_are_the_lowest_and_the_highest_number_with_the_same_ratio(case: tuple[int, int]) -> None:
    successes, calls = case
    ratio = oap_ratio(successes, calls)

    found = compute_counts(ratio, calls)

    assert oap_ratio(found.low, calls) == oap_ratio(found.high, calls) == ratio
    assert found.low == 0 or oap_ratio(found.low - 1, calls) < ratio
    assert found.high == calls or oap_ratio(found.high + 1, calls) > ratio


@given(st.lists(CASES))
def test_sum_of_counts_has_the_sums_of_calls_and_of_both_bounds(cases: list[tuple[int, int]]) -> None:
    all_counts = [compute_counts(oap_ratio(successes, calls), calls) for successes, calls in cases]

    found = sum_counts(all_counts)

    assert found == Counts(*(sum(column) for column in zip((0, 0, 0), *_rows(all_counts), strict=True)))
    assert found.low <= sum(successes for successes, _ in cases) <= found.high


def _rows(all_counts: list[Counts]) -> list[tuple[int, int, int]]:
    return [(one.calls, one.low, one.high) for one in all_counts]


@pytest.mark.parametrize(
    ("sla", "calls", "low", "high"),
    [
        (10_000, 120, 120, 120),
        (9916, 120, 119, 119),
        (9500, 121, 115, 115),
        (0, 7, 0, 0),
        (9999, 10_000, 9999, 9999),
        (9998, 25_000, 24_995, 24_997),
        (3333, 3, 1, 1),
        (6666, 3, 2, 2),
    ],
)
def test_ratio_gives_the_golden_bounds_of_successes(sla: int, calls: int, low: int, high: int) -> None:
    assert compute_counts(sla, calls) == Counts(calls, low, high)


def test_ratio_of_many_calls_has_whole_bounds() -> None:
    assert compute_counts(9999, 20_000) == Counts(20_000, 19_998, 19_999)
    assert compute_counts(9999, 12_345) == Counts(12_345, 12_344, 12_344)
    assert isinstance(compute_counts(3333, 77_777).high, int)


BUCKETS = st.tuples(st.integers(0, 500), st.integers(1, 500)).filter(lambda pair: pair[0] <= pair[1])


@given(st.lists(BUCKETS, min_size=1))
def test_success_rate_of_several_buckets_is_weighted_by_calls(buckets: list[tuple[int, int]]) -> None:
    found = sum_counts([compute_counts(oap_ratio(good, calls), calls) for good, calls in buckets])

    assert found.success_rate == sum(good for good, _ in buckets) / sum(calls for _, calls in buckets)


def test_weighted_mean_is_weighted_by_calls() -> None:
    assert weighted_mean([(100, 1), (200, 3)]) == 175
