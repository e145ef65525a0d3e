"""Queries of the engine in a replay: recorded ones, or those of the split of an A/A run."""

from datetime import datetime

from skywalking_provider.block import IndicatorSpec, JudgedSpec, Spec
from skywalking_provider.queries import Query
from skywalking_provider.tools.backtest.injected_query import InjectedIndicatorQuery
from skywalking_provider.tools.backtest.injection import Injection
from skywalking_provider.tools.backtest.pod_split import PodSplit
from skywalking_provider.tools.backtest.replayed_query import replayed_queries
from skywalking_provider.tools.backtest.split_query import PodRows, SplitQuery


class ReplayQueries:
    """Queries of one metric.

    Args:
        end: End of the recorded history.
        injection: Fault of the canary; None without one.
        rows: Minutes of all pods, for A/A runs; None for others.
    """

    def __init__(self, end: datetime, injection: Injection | None = None, rows: PodRows | None = None) -> None:
        self._injection = injection
        self._rows = rows
        self._recorded_query = replayed_queries(end, injection)
        # State: start and split of the current run, and the query of the split.
        self._start = end
        self._split: PodSplit | None = None
        self._query: SplitQuery | None = None

    def start_run(self, start: datetime, split: PodSplit | None) -> None:
        """Use a split in the looks that follow, and a fault from the start of the run on."""
        self._start, self._split, self._query = start, split, None

    def query_of(self, spec: Spec) -> Query:
        """Return the query of a spec."""
        if self._injection is not None and isinstance(spec, IndicatorSpec):
            return InjectedIndicatorQuery(spec, self._injection, self._start)
        if self._split is None or self._rows is None or not isinstance(spec, JudgedSpec):
            return self._recorded_query(spec)
        if self._query is None:
            self._query = SplitQuery(spec, self._split, self._rows, self._injection)
        return self._query
