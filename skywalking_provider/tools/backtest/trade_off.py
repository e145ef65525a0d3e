"""Trade-off of a metric: how often its runs abort with another margin or threshold, also with faults. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from skywalking_provider.model import Phase
from skywalking_provider.tools.backtest.argo_rules import MetricProgress
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.outcome import Look, MetricOutcome, Rate
from skywalking_provider.tools.backtest.study import MetricStudy

_THRESHOLDS: Final = 40
_ABORTS: Final = (Phase.FAILED, Phase.ERROR)


@dataclass(frozen=True, slots=True)
class TradeOffLine:
    """Share of the runs that abort, by margin or threshold.

    Attributes:
        label: Name of the runs, such as "as recorded".
        rates: Share for each setting.
        minutes: Median of the minutes until the abort, for each setting; None without an abort.
    """

    label: str
    rates: tuple[Rate, ...]
    minutes: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Effect of one setting of a metric.

    Attributes:
        metric: Name of the metric.
        setting: Name of the setting with its unit.
        values: Values of the setting in order.
        current: Value of the template.
        lines: The runs as they were recorded, then those with faults.
        value_labels: Texts for the values; empty if the numbers suffice.
    """

    metric: str
    setting: str
    values: tuple[float, ...]
    current: float
    lines: tuple[TradeOffLine, ...]
    value_labels: tuple[str, ...] = ()


def build_line(label: str, ends: Sequence[Sequence[float | None]]) -> TradeOffLine:
    """Return a line from the minutes until the abort: of each run for each value; None for a run without an abort."""
    rates = tuple(Rate(sum(one is not None for one in runs), len(runs)) for runs in ends)
    minutes = (sorted(one for one in runs if one is not None) for runs in ends)
    return TradeOffLine(label, rates, tuple(median(one) if one else None for one in minutes))


def describe_minutes(fault: Injection | None) -> str:
    """Return the name of minutes with a fault, or without one."""
    return fault.description if fault else "as recorded"


def study_threshold(
    study: MetricStudy, outcomes: Sequence[MetricOutcome], injection: Injection | None = None
) -> TradeOff | None:
    """Return the trade-off of a threshold; None if the condition is not a plain comparison with a number.

    Args:
        study: The metric.
        outcomes: Its outcomes in all runs, with the measurements after their ends.
        injection: Fault that the measurements have; None without one.
    """
    threshold = study.threshold
    with_data = [one for one in outcomes if one.has_data]
    measured = [look.value for one in with_data for look in _all_looks(one) if look.value is not None]
    if threshold is None or not measured:
        return None
    low, high = min([*measured, threshold.value]), max([*measured, threshold.value])
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - margin, high + margin
    grid = [low + (high - low) * at / (_THRESHOLDS - 1) for at in range(_THRESHOLDS)]
    values = tuple(sorted({*grid, threshold.value}))
    ends = [[_find_abort(study, value, one) for one in with_data] for value in values]
    metric = study.target.name
    line = build_line(describe_minutes(injection), ends)
    return TradeOff(metric, f"threshold (result {threshold.symbol} …)", values, threshold.value, (line,))


def _all_looks(outcome: MetricOutcome) -> tuple[Look, ...]:
    return (*outcome.looks, *outcome.later_looks)


def _find_abort(study: MetricStudy, value: float, outcome: MetricOutcome) -> float | None:
    """Return the position of the measurement that aborts with another threshold; None without one."""
    threshold = study.threshold
    assert threshold is not None  # noqa: S101 # checked by the caller
    progress, other = MetricProgress(study.target.rules), threshold.at(value)
    looks = _all_looks(outcome)
    for look in looks:
        phase = look.phase
        if look.decided and look.value is not None:
            failed = other.is_met_by(look.value) == study.fails_if_met
            phase = Phase.FAILED if failed else Phase.SUCCESSFUL
        if (ended := progress.add(phase)).completed:
            return (look.at - looks[0].at).total_seconds() / 60 if ended in _ABORTS else None
    return None
