"""Replay of one metric in one run: the service's engine in virtual time, called as Argo calls it."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from skywalking_provider.analysis.cause import CauseLimits
from skywalking_provider.analysis.engine import Engine
from skywalking_provider.analysis.evaluation import ConditionEvaluator
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.analysis.judging import ContinuingJudge
from skywalking_provider.block import Spec
from skywalking_provider.model import Deadline, Measurement, Metric, Phase, Run
from skywalking_provider.oap import BackendRegistry
from skywalking_provider.queries import Query
from skywalking_provider.support import go_json
from skywalking_provider.tools.backtest.argo_rules import MetricProgress, MetricRules
from skywalking_provider.tools.backtest.outcome import EndReason, Look, MetricOutcome
from skywalking_provider.tools.backtest.replay_backend import VirtualClock

_TIMEOUT_SECONDS: Final = 24 * 3600.0
"""The first measurement reads the whole history. The reads have time limits of their own."""
_MIN_STEP: Final = timedelta(seconds=1)


class MetricReplay:
    """Replays metrics with one engine.

    Args:
        backends: Replaying backends.
        evaluator: Evaluator of the conditions.
        clock: Virtual clock of the backends.
        check: Function that raises an error if a read failed. The engine would wait for an unavailable OAP.
        new_query: Returns the query of a spec.
        looks_on: Whether a metric that ended before its count is measured further, for `MetricOutcome.later_looks`.
    """

    def __init__(
        self,
        backends: BackendRegistry,
        evaluator: ConditionEvaluator,
        clock: VirtualClock,
        check: Callable[[], None],
        new_query: Callable[[Spec], Query],
        *,
        looks_on: bool = False,
    ) -> None:
        self._clock = clock
        self._looks_on = looks_on
        self._check = check
        # State: the event of the last measurement.
        self._events: list[MeasurementEvent] = []
        self._engine = Engine(
            backends,
            evaluator,
            now=clock.read,
            listeners=[self._events.append],
            monotonic=clock.monotonic,
            cause_limits=CauseLimits(0),
            new_query=new_query,
            judge=ContinuingJudge(),
        )

    async def replay(
        self, metric: Metric, rules: MetricRules, run: Run, start: datetime, end: datetime
    ) -> MetricOutcome:
        """Replay a metric in one run.

        Args:
            metric: Metric as the bridge sends it.
            rules: Its rules.
            run: Run that starts at `start`.
            start: Start of the run, in UTC.
            end: Latest end of the run. Argo terminates what is not complete then.
        """
        progress, looks = MetricProgress(rules), list[Look]()
        at, measurement, message = start + rules.initial_delay, None, ""
        while at <= end:
            measurement = await self._measure(metric, run, measurement, at)
            message = measurement.message
            if measurement.phase.completed:
                looks.append(self._build_look(measurement, at))
                phase = progress.add(measurement.phase)
                if phase.completed:
                    later = await self._look_on(metric, rules, run, looks, end) if self._looks_on else ()
                    return MetricOutcome(metric.name, phase, at, looks[-1].reason, message, tuple(looks), later)
                at, measurement = progress.next_at(at, measurement.phase), None
            else:
                at = max(measurement.resume_at or at, at + _MIN_STEP)
        if measurement is not None:
            reason = self._events[-1].reason
            waiting = reason if reason is not None and not looks else EndReason.WAITING
            return MetricOutcome(metric.name, Phase.INCONCLUSIVE, end, waiting, message, tuple(looks))
        if rules.count is None:
            return MetricOutcome(metric.name, Phase.SUCCESSFUL, end, looks=tuple(looks))
        return MetricOutcome(metric.name, Phase.INCONCLUSIVE, end, EndReason.WAITING, message, tuple(looks))

    async def _look_on(
        self, metric: Metric, rules: MetricRules, run: Run, looks: Sequence[Look], end: datetime
    ) -> tuple[Look, ...]:
        """Return the measurements that would follow if the metric had not ended. One that waits ends them."""
        progress, last, later = MetricProgress(rules), looks[-1], list[Look]()
        made = sum(look.phase is not Phase.ERROR for look in looks)
        while rules.count is None or made < rules.count:
            at = progress.next_at(last.at, last.phase)
            if at > end:
                break
            measurement = await self._measure(metric, run, None, at)
            if not measurement.phase.completed:
                break
            last = self._build_look(measurement, at)
            later.append(last)
            made += last.phase is not Phase.ERROR
        return tuple(later)

    async def _measure(self, metric: Metric, run: Run, measurement: Measurement | None, at: datetime) -> Measurement:
        self._clock.now = at
        self._events.clear()
        deadline = Deadline.after(_TIMEOUT_SECONDS, time.monotonic)
        if measurement is None:
            measured = await self._engine.run(metric, run, deadline)
        else:
            measured = await self._engine.resume(metric, run, measurement, deadline)
        self._check()
        return measured

    def _build_look(self, measurement: Measurement, at: datetime) -> Look:
        (event,) = self._events
        details = event.details
        window = details.window
        return Look(
            at,
            measurement.phase,
            event.reason,
            measurement.message,
            _read_number(measurement.value, event),
            (window.start, window.end) if window else None,
            details.evaluated,
        )


def _read_number(value: str, event: MeasurementEvent) -> float | None:
    """Return the number that a measurement has for a chart: the value, or the canary's value of a judgement."""
    judgement = event.details.judgement
    if judgement is not None:
        return judgement.canary.value
    number = go_json.load(value) if value and len(value) < 64 else None
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
