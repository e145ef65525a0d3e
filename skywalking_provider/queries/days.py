"""Windows across midnight, read day by day.

An OAP with a JDBC storage (H2, MySQL, PostgreSQL) has a table for each day. Before SkyWalking's pull request 14061, it
reads only the first one for a window shorter than a day, so that the minutes after midnight look absent. Other storages
return the same for two reads as for one.
"""

from datetime import UTC, datetime

from skywalking_provider.model import Window


def find_midnight(window: Window) -> datetime | None:
    """Return the midnight inside a window of less than a day, in the time zone of the OAP; None if there is none."""
    newest = window.bucket_start(window.buckets - 1)
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    # Back in its zone, it is the first instant of the day, also where the clock skips midnight.
    return midnight.astimezone(newest.tzinfo) if window.start.astimezone(UTC) < midnight else None


def split_into_days(window: Window, *, single_buckets: bool) -> list[Window]:
    """Split a window at midnight.

    Args:
        window: Window of less than a day.
        single_buckets: Whether the OAP reads a window of one bucket, as it does since 9.5. Otherwise a split that
            would result in one is not made.
    """
    midnight = find_midnight(window)
    if midnight is None:
        return [window]
    days = [Window(window.start, midnight, window.step), Window(midnight, window.end, window.step)]
    return days if single_buckets or all(day.buckets > 1 for day in days) else [window]
