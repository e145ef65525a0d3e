"""Judged queries of a replay: recorded minutes are decoded once, and every look takes those of its window.

A look of the service decodes all minutes since the start of its run. A replay has thousands of looks at the same
minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from skywalking_provider.block import JudgedSpec, Spec
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.queries import CollectedSample, Query, query_for
from skywalking_provider.queries.indicators.judged import JudgedQuery, check_found
from skywalking_provider.queries.indicators.judged_parts import PartReads, SideMinutes, decode_part, merge_parts
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest.injection import Injection

_HOUR: Final = timedelta(hours=1)
DecodedHour = tuple[PartReads, tuple[SideMinutes, ...]]


@dataclass(frozen=True, slots=True)
class ReplayedJudgedQuery(JudgedQuery):
    """A judged query that decodes each hour once.

    Attributes:
        end: End of the recorded history; None if it has no end.
        injection: Fault of the canary; None without one.
        hours: Decoded hours by their starts.
    """

    end: datetime | None = None
    injection: Injection | None = None
    hours: dict[datetime, DecodedHour] = field(default_factory=dict)

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        parts = []
        start, end = window.start.astimezone(UTC).replace(minute=0), window.end.astimezone(UTC)
        while start < end:
            if start not in self.hours:
                self.hours[start] = await self._read_hour(start, backend, window, deadline)
            parts.append(self.hours[start])
            start += _HOUR
        check_found([part for part, _ in parts])
        sample = merge_parts(self.spec, self.indicator, parts, window)
        return CollectedSample(sample, sample.sides.canary.subject if sample.sides else "", ())

    async def _read_hour(self, start: datetime, backend: Backend, window: Window, deadline: Deadline) -> DecodedHour:
        zone = window.end.tzinfo
        end = start + _HOUR if self.end is None else min(start + _HOUR, self.end)
        hour = Window(start.astimezone(zone), end.astimezone(zone))
        mqe = (await backend.connection.features(deadline)).supports_mqe
        part = await self.read_part(hour, backend, deadline, mqe=mqe, newest=False)
        canary, *others = decode_part(self.indicator, part, mqe=mqe)
        if self.injection:
            canary = {at: self._inject(self.injection, start, at, minute) for at, minute in canary.items()}
        return part, (canary, *others)

    def _inject(self, injection: Injection, start: datetime, at: int, minute: SideMinute) -> SideMinute:
        return injection.change(minute, f"{start.isoformat()} {at}", latency=self.spec.judges_latency)


def replayed_queries(end: datetime, injection: Injection | None = None) -> Callable[[Spec], Query]:
    """Return the function that returns the query of a spec in a replay. A spec has the same query in all looks.

    Args:
        end: End of the recorded history.
        injection: Fault of the canary in judged blocks; None without one.
    """
    queries: dict[int, tuple[Spec, Query]] = {}

    def query_of(spec: Spec) -> Query:
        if id(spec) not in queries:  # the parsed block is cached, and kept here so that its id is not reused
            is_judged = isinstance(spec, JudgedSpec)
            queries[id(spec)] = spec, ReplayedJudgedQuery(spec, end, injection) if is_judged else query_for(spec)  # type: ignore[arg-type]
        return queries[id(spec)][1]

    return query_of
