"""Query of an indicator with a threshold in a replay with a fault: the minutes since the run's start have the fault."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from skywalking_provider.block import IndicatorName
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.values import Number
from skywalking_provider.queries import CollectedSample
from skywalking_provider.queries.entities import describe_subject
from skywalking_provider.queries.indicators.base import BucketValue, Indicator, JudgedIndicator
from skywalking_provider.queries.indicators.counts import FULL
from skywalking_provider.queries.indicators.metric_names import MetricMeaning
from skywalking_provider.queries.indicators.query import IndicatorQuery, read_indicator
from skywalking_provider.queries.indicators.registry import judged_indicator_for
from skywalking_provider.queries.series import format_number
from skywalking_provider.tools.backtest.injection import Injection


@dataclass(frozen=True, slots=True)
class InjectedIndicatorQuery(IndicatorQuery):
    """An indicator of the selected entities, with a fault.

    Attributes:
        fault: The fault.
        start: Start of the fault.
    """

    fault: Injection
    start: datetime

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        minutes = judged_indicator_for(self.spec.sli, self.spec.percentile)
        faulty = FaultyIndicator(self.indicator, minutes, self.fault, self.start)
        sample, entities, requests = await read_indicator(self.spec, faulty, backend, window, deadline)
        return CollectedSample(sample, describe_subject(entities), requests, entities)


@dataclass(frozen=True)
class FaultyIndicator(Indicator):
    """An indicator that computes its number from minutes with a fault.

    Attributes:
        indicator: The indicator.
        minutes: The same indicator for single minutes.
        fault: The fault.
        start: Start of the fault.
    """

    indicator: Indicator
    minutes: JudgedIndicator
    fault: Injection
    start: datetime

    @property
    def name(self) -> IndicatorName:
        """Name in the block."""
        return self.indicator.name

    @property
    def meaning(self) -> MetricMeaning:
        """Meaning of the metric."""
        return self.indicator.meaning

    @property
    def label(self) -> str:
        """Name for messages."""
        return self.indicator.label

    @property
    def percentile(self) -> int | None:
        """Percentile to select."""
        return self.indicator.percentile

    @property
    def max_value(self) -> Number:
        """Highest value of a bucket."""
        return self.indicator.max_value

    @property
    def scale(self) -> int:
        """Divisor of the stored values."""
        return self.indicator.scale

    def compute(self, rows: Sequence[BucketValue], window: Window) -> float:
        """Return the indicator of a window."""
        return self.indicator.compute(self._change(rows, window), window)

    def format_result(self, rows: Sequence[BucketValue], result: float) -> str:  # noqa: ARG002
        """Return the result for messages, without the range of OAP's rounding."""
        return format_number(result)

    def _change(self, rows: Sequence[BucketValue], window: Window) -> list[BucketValue]:
        seen = Counter[int]()
        changed = []
        for row in rows:
            start = window.bucket_start(row.bucket)
            key = f"{start.astimezone(UTC).isoformat()} {seen[row.bucket]}"
            seen[row.bucket] += 1
            changed.append(self._change_minute(row, key) if start >= self.start else row)
        return changed

    def _change_minute(self, row: BucketValue, key: str) -> BucketValue:
        latency = self.indicator.name is IndicatorName.LATENCY
        minute = self.fault.change(self.minutes.summarize_minute([row]), key, latency=latency)
        if latency:
            return replace(row, value=minute.high)
        return replace(row, value=(row.calls - minute.high) * FULL // row.calls)
