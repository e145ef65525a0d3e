"""Time zone for an OAP of the lab, in which it is not about midnight.

The lab's OAPs store in H2, with a table for each day. They have none of the days before their start, and drop the calls
of those days. A read across midnight loses the minutes after it (`skywalking_provider/queries/days.py`).
"""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

_FIRST: Final = time(1)  # the feeder begins with minutes of the past
_LAST: Final = time(21)  # a run takes less than three hours
UTC_OR_WEST: Final = ("UTC", "America/Los_Angeles")


def select_time_zone(zones: Sequence[str], now: datetime) -> str:
    """Return the first time zone in which it is between one o'clock and nine in the evening.

    Args:
        zones: Names of time zones. Two whose offsets differ by 4 to 20 hours are enough for every time.
        now: Aware time.

    Raises:
        ValueError: It is about midnight in all of them.
    """
    for zone in zones:
        if _FIRST <= now.astimezone(ZoneInfo(zone)).time() <= _LAST:
            return zone
    raise ValueError(f"it is about midnight in all of {', '.join(zones)}")
