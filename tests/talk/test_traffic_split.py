"""Share of the canary in the traffic: segments of one weight, and their binomial intervals."""

import pytest

from bench.talk.traffic_split import Call, WeightSegment, binomial_interval, check_split, find_segments


def test_segments_join_observations_of_one_weight() -> None:
    observed = [(0.0, 0), (1.0, 10), (2.0, 10), (3.0, 20), (4.0, 0)]

    assert find_segments(observed, ends=9.0) == [
        WeightSegment(0.0, 1.0, 0),
        WeightSegment(1.0, 3.0, 10),
        WeightSegment(3.0, 4.0, 20),
        WeightSegment(4.0, 9.0, 0),
    ]


# Limits of the central interval, from tables of the binomial distribution.
@pytest.mark.parametrize(
    ("calls", "share", "confidence", "interval"),
    [(10, 0.5, 0.95, (2, 8)), (100, 0.5, 0.95, (40, 60)), (100, 0.1, 0.95, (5, 16)), (600, 0.0, 0.95, (0, 0))],
)
def test_binomial_interval_has_exact_limits(
    calls: int, share: float, confidence: float, interval: tuple[int, int]
) -> None:
    assert binomial_interval(calls, share, confidence) == interval


def test_split_counts_neither_the_time_around_a_change_nor_calls_without_version() -> None:
    calls = [Call(second / 10, "v2" if second % 10 == 0 else "v1", 200, 0.02) for second in range(1000)]
    calls += [Call(50.0, "", 503, 0.02)] * 100

    found = check_split(WeightSegment(10.0, 90.0, 10), calls, "v2")

    assert (found.calls, found.canary_calls) == (750, 75)
    assert found.is_within_interval


def test_split_of_another_weight_is_outside_the_interval() -> None:
    calls = [Call(second / 10, "v2" if second % 10 == 0 else "v1", 200, 0.02) for second in range(1000)]

    assert not check_split(WeightSegment(0.0, 100.0, 20), calls, "v2").is_within_interval
    assert not check_split(WeightSegment(0.0, 100.0, 0), calls, "v2").is_within_interval
