"""Minutes of a metric in its runs, whatever their outcomes are: the data of the pictures."""

from dataclasses import dataclass
from datetime import timedelta

from skywalking_provider.analysis.threshold import Threshold, parse_threshold
from skywalking_provider.block import Spec
from skywalking_provider.errors import EntityNotFoundError
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import Query
from skywalking_provider.queries.sides import Sides
from skywalking_provider.tools.backtest.targets import Target


@dataclass(frozen=True, slots=True)
class RunMinutes:
    """Minutes of both sides in a whole run.

    Attributes:
        window: Minutes of the run without its warm-up.
        sides: The sides, with positions in the window.
    """

    window: Window
    sides: Sides


@dataclass(frozen=True, slots=True)
class MetricStudy:
    """Minutes of one metric.

    Attributes:
        target: The metric.
        spec: Its block.
        settle: Delay after its end at which a minute is closed.
        minutes: Minutes of each run of a judged block; None for a run without data, and for other blocks.
    """

    target: Target
    spec: Spec
    settle: timedelta
    minutes: tuple[RunMinutes | None, ...]

    @property
    def threshold(self) -> Threshold | None:
        """Comparison that decides whether a measurement is Failed; None if it is not a plain one.

        A value that does not meet a success condition is Failed. A failure condition is met by such a value, so it is
        returned as it is.
        """
        if self.spec.judged:
            return None
        metric = self.target.check.metric
        return parse_threshold(metric.failure_condition or metric.success_condition)

    @property
    def fails_if_met(self) -> bool:
        """Whether the threshold is that of a failure condition."""
        return bool(self.target.check.metric.failure_condition)


async def collect_minutes(query: Query, backend: Backend, window: Window, deadline: Deadline) -> RunMinutes | None:
    """Return the minutes of a judged block in a window; None without any.

    Args:
        query: Query of the block.
        backend: Backend with recorded responses.
        window: Minutes of the run.
        deadline: Deadline of reads.
    """
    try:
        collected = await query.collect(backend, window, deadline)
    except EntityNotFoundError:
        return None
    sides = collected.sample.sides
    return RunMinutes(window, sides) if sides is not None and sides.counted else None
