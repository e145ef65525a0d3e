"""Argo's rules for one metric of an analysis: when it is measured, and which phase its measurements give. Pure.

Source: argo-rollouts v1.10.2 analysis/analysis.go (generateMetricTasks, assessMetricStatus,
assessMetricFailureInconclusiveOrError).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from skywalking_provider.model import Phase
from skywalking_provider.support.durations import parse_duration
from skywalking_provider.tools.check.argo.validation import ArgoMetric

ERROR_RETRY: Final = timedelta(seconds=10)
"""Time after a measurement with an Error, whatever the interval is."""
_CONSECUTIVE_ERROR_LIMIT: Final = 4


@dataclass(frozen=True, slots=True)
class MetricRules:
    """Fields of a metric that decide how often it is measured, and what its measurements mean.

    Attributes:
        interval: Time from the end of a measurement to the next one; None without an interval.
        count: Number of measurements; None for a metric that is measured until the analysis ends.
        initial_delay: Time from the start of the run to the first measurement.
        failure_limit: Number of Failed measurements that do not fail the metric; negative if any number is accepted.
        inconclusive_limit: The same for Inconclusive measurements.
        consecutive_error_limit: The same for Errors that follow each other.
        consecutive_success_limit: Number of successes in a row that end the metric; 0 if none do.
    """

    interval: timedelta | None = None
    count: int | None = 1
    initial_delay: timedelta = timedelta(0)
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = _CONSECUTIVE_ERROR_LIMIT
    consecutive_success_limit: int = 0

    @property
    def planned_length(self) -> timedelta | None:
        """Time from the start of the run to the last measurement if none waits; None if it has no end."""
        if self.count is None:
            return None
        return self.initial_delay + (self.count - 1) * (self.interval or timedelta(0))


def read_rules(metric: ArgoMetric) -> MetricRules:
    """Read the rules of a metric that Argo accepts.

    Raises:
        ValueError: A duration is longer than seven days.
    """
    count = metric.limit("count")
    effective_count = (None if metric.interval else 1) if count == 0 else count
    errors = metric.limit("consecutiveErrorLimit")
    return MetricRules(
        parse_duration(metric.interval) if metric.interval else None,
        effective_count,
        parse_duration(metric.initial_delay) if metric.initial_delay else timedelta(0),
        metric.limit("failureLimit"),
        metric.limit("inconclusiveLimit"),
        errors if "consecutiveErrorLimit" in metric.limits else _CONSECUTIVE_ERROR_LIMIT,
        metric.limit("consecutiveSuccessLimit"),
    )


class MetricProgress:
    """Counters of the measurements of a metric in one run.

    Args:
        rules: Rules of the metric.
    """

    def __init__(self, rules: MetricRules) -> None:
        self._rules = rules
        # State: the counters of Argo's MetricResult.
        self._count = self._failed = self._inconclusive = 0
        self._errors_in_a_row = self._successes_in_a_row = 0

    def add(self, phase: Phase) -> Phase:
        """Count a completed measurement. Return the phase of the metric: Running, or a completed one."""
        if phase is Phase.ERROR:
            self._errors_in_a_row += 1
        else:
            self._count += 1
            self._errors_in_a_row = 0
        self._successes_in_a_row = self._successes_in_a_row + 1 if phase is Phase.SUCCESSFUL else 0
        self._failed += phase is Phase.FAILED
        self._inconclusive += phase is Phase.INCONCLUSIVE
        return self._assess()

    def next_at(self, finished_at: datetime, phase: Phase) -> datetime:
        """Return when the next measurement begins.

        Args:
            finished_at: End of the last measurement.
            phase: Its phase.
        """
        retry = phase is Phase.ERROR or self._rules.interval is None
        return finished_at + (ERROR_RETRY if retry else self._rules.interval or ERROR_RETRY)

    def _assess(self) -> Phase:
        rules = self._rules
        if self._errors_in_a_row > rules.consecutive_error_limit:
            return Phase.ERROR
        if self._inconclusive > rules.inconclusive_limit:
            return Phase.INCONCLUSIVE
        if 0 <= rules.failure_limit < self._failed:
            return Phase.FAILED
        if 0 < rules.consecutive_success_limit <= self._successes_in_a_row:
            return Phase.SUCCESSFUL
        if rules.count is None or self._count < rules.count:
            return Phase.RUNNING
        if rules.consecutive_success_limit > 0:  # the count is reached, and so many successes were not
            return Phase.INCONCLUSIVE if rules.failure_limit >= 0 else Phase.FAILED
        return Phase.SUCCESSFUL
