"""Time zone of the lab's OAPs."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.oap_time_zone import UTC_OR_WEST, select_time_zone
from tests.e2e.oap_pool import VERSIONS

CANDIDATES = (*VERSIONS.values(), UTC_OR_WEST)
SECONDS = st.integers(1_800_000_000, 1_900_000_000)  # three years, with all changes of the clocks


@pytest.mark.parametrize("zones", CANDIDATES, ids=" or ".join)
@given(seconds=SECONDS)
def test_no_midnight_is_within_an_hour_before_and_three_hours_after(zones: tuple[str, ...], seconds: int) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    zone = ZoneInfo(select_time_zone(zones, now))

    days = {(now + timedelta(minutes=minutes)).astimezone(zone).date() for minutes in range(-59, 179)}

    assert len(days) == 1


def test_first_zone_is_selected_unless_it_is_about_midnight() -> None:
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)

    assert select_time_zone(UTC_OR_WEST, noon) == "UTC"
    assert select_time_zone(UTC_OR_WEST, noon + timedelta(hours=10)) == "America/Los_Angeles"


def test_time_about_midnight_in_all_zones_is_an_error() -> None:
    with pytest.raises(ValueError, match="midnight in all of UTC, Europe/London"):
        select_time_zone(("UTC", "Europe/London"), datetime(2026, 12, 1, tzinfo=UTC))
