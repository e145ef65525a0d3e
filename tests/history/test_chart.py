"""Chart layout: values, zeros and absent buckets are drawn differently, and thresholds mark violations."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.history.chart import HEIGHT, LABEL_HEIGHT, WIDTH, build_chart
from skywalking_provider.model import Window
from skywalking_provider.queries.series import Bucket, Series

START = datetime(2026, 11, 24, 9, 14, tzinfo=UTC)
REFERENCE_CONDITION = "all(result.service_apdex.values.values, {asFloat(.value) >= 9900})"


def window(minutes: int, start: datetime = START) -> Window:
    return Window(start, start + timedelta(minutes=minutes))


def kinds(*buckets: Bucket) -> list[str]:
    return [bar.kind for bar in build_chart(Series("s", buckets), window(len(buckets))).bars]


def test_chart_value_zero_and_absent_bucket_have_different_kinds() -> None:
    assert kinds(5, 0, None, 0.0, "NaN") == ["value", "zero", "absent", "zero", "not-a-number"]


def test_chart_times_are_in_the_zone_of_the_window() -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))

    chart = build_chart(Series("s", (1, 2)), window(2, START.astimezone(kolkata)))

    assert [bar.time for bar in chart.bars] == ["14:44", "14:45"]


@pytest.mark.parametrize(
    ("condition", "threshold", "violations"),
    [
        ("result >= 9900", "≥ 9900", [True, False]),
        (REFERENCE_CONDITION, "≥ 9900", [True, False]),
        ("asFloat(result) < 9000", "< 9000", [False, True]),
        ("result <= 8999.5", "≤ 8999.5", [True, True]),
        ("result > 9000 && result < 9950", None, [False, False]),
        ("len(result) > 2", None, [False, False]),
        ("", None, [False, False]),
    ],
)
def test_chart_plain_comparison_draws_threshold_and_marks_violations(
    condition: str, threshold: str | None, violations: list[bool]
) -> None:
    values = [9000, 10000] if condition != "asFloat(result) < 9000" else [8000, 9000]

    chart = build_chart(Series("s", tuple(values)), window(2), condition)

    assert (chart.threshold[1] if chart.threshold else None) == threshold
    assert [bar.violates for bar in chart.bars] == violations


def test_chart_absent_bucket_does_not_violate_the_threshold() -> None:
    chart = build_chart(Series("s", (None, 1)), window(2), "result >= 2")

    assert [bar.violates for bar in chart.bars] == [False, True]


@pytest.mark.parametrize("buckets", [(), (1,), (1, 2, 3)])
def test_chart_values_that_are_not_buckets_are_written_as_text(buckets: tuple[int, ...]) -> None:
    chart = build_chart(Series("s", buckets), window(1 if len(buckets) == 1 else 2))

    assert not chart.bars
    assert chart.values == (" ".join(map(str, buckets)) or "no value")


def test_chart_has_a_text_alternative() -> None:
    chart = build_chart(Series("service_apdex", (9000, None, 10000)), window(3))

    assert chart.summary == "service_apdex: 9000 to 10000 in 3 minutes, 1 absent"


@given(
    st.lists(st.none() | st.integers(-(10**12), 10**18) | st.floats(-1e300, 1e300) | st.text(max_size=20), min_size=2)
)
def test_chart_bars_stay_inside_the_drawing_area(buckets: list[Bucket]) -> None:
    chart = build_chart(Series("s", tuple(buckets)), window(len(buckets)), "result >= 5")

    assert len(chart.bars) == len(buckets)
    for bar in chart.bars:
        assert bar.x >= -0.01
        assert bar.x + bar.width <= WIDTH + 0.1
        assert bar.y >= LABEL_HEIGHT - 0.01
        assert bar.y + bar.height <= HEIGHT + 0.01
    assert chart.threshold
    assert LABEL_HEIGHT - 0.01 <= chart.threshold[0] <= HEIGHT
