"""Advice on a metric with a judged block: what Argo accepts and an author may not expect. No I/O."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from skywalking_provider.support.durations import parse_duration

JUDGED_KEYS: Final = ("compare", "objective")
"""Keys that make a block judged."""
_MAX_INTERVAL: Final = timedelta(minutes=1)
_CONDITIONS: Final = ("successCondition", "failureCondition")


def find_judged_notes(metric: Mapping[str, Any], interval: str) -> Iterator[str]:
    """Yield the notes on a metric; none if its block is not judged.

    Args:
        metric: Metric of the template.
        interval: Its interval with arguments replaced; empty for none.
    """
    blocks = [one for one in (metric["provider"].get("plugin") or {}).values() if isinstance(one, dict)]
    keys = [key for key in JUDGED_KEYS if any(block.get(key) for block in blocks)]
    if not keys:
        return
    conditions = [key for key in _CONDITIONS if metric.get(key)]
    if any(block.get("conditions") for block in blocks):
        conditions.append("conditions")
    if conditions:
        one = len(conditions) == 1 and conditions[0] != "conditions"
        yield (
            f"{' and '.join(conditions)} beside {keys[0]} {'decides' if one else 'decide'} alone: no measurement waits"
            f" for a finding. Remove {'it' if one else 'them'} to let {keys[0]} decide"
        )
    if _is_long(interval):
        yield (
            f"interval: {interval} is longer than 1m: a fault is found later, and more looks do not abort healthy"
            " canaries. Set interval to 1m"
        )


def _is_long(interval: str) -> bool:
    try:
        return bool(interval) and parse_duration(interval) > _MAX_INTERVAL
    except ValueError:  # Argo rejects it, or it is an argument without a value
        return False
