"""Facts about a service's minutes: calls, failures and latency, as a whole and by the hour. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.suggest.model import Survey

HOUR: Final = 60
"""Minutes of one part of the past."""
_MIN_PART: Final = 20
"""Calls of an hour at least, so that its value is not one of a few calls."""
USUAL: Final = 0.95
"""Share of the hours that count as usual. The worst ones are incidents of the service itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """Minutes together.

    Attributes:
        start: Position of the first minute.
        calls: Number of calls.
        value: Share of failed calls, or mean latency in milliseconds.
    """

    start: int
    calls: int
    value: float


@dataclass(frozen=True, slots=True)
class IndicatorFacts:
    """An indicator of a service in its past.

    Attributes:
        calls: Number of calls.
        failures: Number of failed calls; 0 for latency.
        mean: Share of failed calls, or mean latency in milliseconds.
        usual: Value that `USUAL` of the hours do not exceed.
        worst: Hour with the highest value; None if no hour has enough calls.
    """

    calls: int
    failures: float
    mean: float
    usual: float
    worst: Part | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of a service.

    Attributes:
        rate: Calls a minute, on average.
        quiet_rate: Calls a minute in a quiet hour: nine of ten have more.
        busy_share: Share of the minutes that have calls.
    """

    rate: float
    quiet_rate: float
    busy_share: float


def measure_traffic(survey: Survey) -> Traffic:
    """Return the calls of a service from its first minute with calls on."""
    minutes = next(iter(survey.minutes.values()))
    calls = sum(one.calls for one in minutes.values())
    hours = [
        sum(minutes[at].calls for at in range(start, start + HOUR) if at in minutes) / HOUR
        for start in range(survey.first, survey.total - HOUR + 1, HOUR)
    ]
    rate = calls / survey.length
    return Traffic(rate, quantile(hours, 0.1) if hours else rate, len(minutes) / survey.length)


def measure_indicator(survey: Survey, name: IndicatorName) -> IndicatorFacts:
    """Return the facts about an indicator."""
    minutes = survey.minutes[name]
    latency = name is IndicatorName.LATENCY
    calls = sum(one.calls for one in minutes.values())
    parts = split_into_parts(minutes, HOUR, _MIN_PART, latency=latency)
    mean = _pool(list(minutes.values()), latency=latency)
    usual = quantile([one.value for one in parts], USUAL) if parts else mean
    failures = 0.0 if latency else sum(one.high for one in minutes.values())
    return IndicatorFacts(calls, failures, mean, usual, max(parts, key=lambda one: one.value, default=None))


def split_into_parts(minutes: Mapping[int, SideMinute], length: int, min_calls: int, *, latency: bool) -> list[Part]:
    """Return the minutes in parts of a length that have enough calls."""
    by_part: dict[int, list[SideMinute]] = {}
    for at, one in minutes.items():
        by_part.setdefault(at // length, []).append(one)
    return [
        Part(at * length, calls, _pool(of_part, latency=latency))
        for at, of_part in sorted(by_part.items())
        if (calls := sum(one.calls for one in of_part)) >= min_calls
    ]


def quantile(numbers: Sequence[float], share: float) -> float:
    """Return the number that a share of the numbers does not exceed."""
    ordered = sorted(numbers)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _pool(minutes: Sequence[SideMinute], *, latency: bool) -> float:
    calls = sum(one.calls for one in minutes)
    return sum(one.high * (one.calls if latency else 1) for one in minutes) / calls
