"""Messages for buckets of another window: they show the bucket's time in the window's zone, or the id itself."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Window
from skywalking_provider.oap.api.bucket_ids import check_local_time_ids, check_millisecond_ids

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
START = NOON.astimezone(timezone(timedelta(hours=8)))
WINDOW = Window(START, START + timedelta(minutes=3))


def milliseconds(instant: datetime) -> str:
    return str(round(instant.timestamp() * 1000))


@pytest.mark.parametrize(
    ("check", "bucket", "shown"),
    [
        (check_millisecond_ids, milliseconds(NOON + timedelta(minutes=3)), "2026-11-24 20:03 +0800"),
        (check_millisecond_ids, milliseconds(NOON - timedelta(minutes=1)), "2026-11-24 19:59 +0800"),
        (check_millisecond_ids, "9" * 19, f"'{'9' * 19}'"),
        (check_millisecond_ids, "9" * 50, f"'{'9' * 40}'"),
        (check_millisecond_ids, "x", "'x'"),
        (check_local_time_ids, "cpm_202611242003_a", "'cpm_202611242003_a'"),
        (check_local_time_ids, "x" * 50, f"'{'x' * 40}'"),
    ],
)
def test_bucket_of_another_window_is_named_with_the_window(
    check: Callable[[str, list[str | None], Window], None], bucket: str, shown: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        check("e0", [bucket], WINDOW)

    assert caught.value.reason is Reason.OAP_RESPONSE_INVALID
    assert str(caught.value) == (
        f"response is not for the requested window: e0 has the bucket {shown}, requested were"
        " 2026-11-24 20:00 +0800 to 2026-11-24 20:03 +0800."
        " Check caches in front of the OAP, its clock, and the backend's timezone"
    )
