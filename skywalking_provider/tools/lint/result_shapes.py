"""Results that a block can have, as JSON: what its conditions are compiled for and evaluated on. Pure.

The types follow docs/block.md. Judgements, alarms and responses are built by the code that builds them in the service.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from skywalking_provider.analysis.judging import judge_sides
from skywalking_provider.block import (
    AlarmsSpec,
    ExpressionSpec,
    GraphqlSpec,
    IndicatorName,
    IndicatorSpec,
    JudgedSpec,
    Spec,
)
from skywalking_provider.block.expression_syntax import ranking_function
from skywalking_provider.oap.api.alarms import OapAlarm
from skywalking_provider.queries.alarms.report import AlarmReport, SelectedAlarm
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from skywalking_provider.tools.lint.query_results import build_results

MANY_CALLS: Final = 1_000_000
"""Calls of a minute that stand for unlimited traffic."""
_LITERAL: Final = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_AGGREGATION: Final = re.compile(r"\s*(?:avg|sum|max|min|count|latest)\s*\(", re.ASCII)
_MAX_LITERALS: Final = 8
_LARGE: Final = 1e12
_CLEAN_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class ResultShape:
    """A type of results.

    Attributes:
        name: The type for messages, such as "a number from 0 to 1".
        low: Lowest number; None if the results are not numbers.
        high: Highest number.
        samples: Results, if they are not numbers.
        complete: Whether the samples show every outcome of a condition that does not contradict itself.
        typed: Whether the samples have every field of the result.
        decides: Whether the block has a verdict without conditions.
    """

    name: str
    low: float | None = None
    high: float | None = None
    samples: tuple[str, ...] = ()
    complete: bool = True
    typed: bool = True
    decides: bool = False

    @property
    def fields(self) -> frozenset[str] | None:
        """Fields of the result; None if it is no map, or if its fields are not known."""
        maps = [one for one in map(json.loads, self.samples) if isinstance(one, dict)] if self.typed else []
        return frozenset(key for one in maps for key in one) if maps else None

    @property
    def sample(self) -> bytes:
        """One result, for its type. It is the first of `results`."""
        return json.dumps(self.low).encode() if self.low is not None else self.samples[0].encode()

    def results(self, *conditions: str) -> Iterator[bytes]:
        """Yield results, those first that most conditions tell apart. Numbers are those around a condition's own."""
        if self.low is None or self.high is None:
            yield from (one.encode() for one in self.samples)
            return
        near = (
            number + delta
            for number in _literals(*conditions)
            for delta in (0.0, -max(abs(number), 1.0) * 1e-6, max(abs(number), 1.0) * 1e-6)
        )
        numbers = dict.fromkeys((self.low, self.high, (self.low + self.high) / 2, *near))
        yield from (json.dumps(one).encode() for one in numbers if self.low <= one <= self.high)


_RATE: Final = ResultShape("a number from 0 to 1", 0.0, 1.0)
_AMOUNT: Final = ResultShape("a number that is not negative", 0.0, _LARGE)
_NUMBER: Final = ResultShape("a number", -_LARGE, _LARGE)
_SERIES: Final = ResultShape("a list of numbers", samples=("[0, 1]", "[1000000, 2000000]"), complete=False)
_LABELS: Final = ResultShape("a map by label", samples=('{"50": [0, 1], "99": [0, 1]}',), complete=False, typed=False)
_LABEL_NUMBERS: Final = ResultShape("a map by label", samples=('{"50": 0, "99": 1}',), complete=False, typed=False)
_RANKING: Final = ResultShape("a list of names and values", samples=('[{"name": "a", "value": 1}]',), complete=False)
_INSTANCES: Final = ResultShape("a map by instance", samples=('{"a-6c85f7bf4-9zr8t": 1}',), complete=False, typed=False)
_DATA: Final = ResultShape("a map", samples=('{"a": {}}',), complete=False, typed=False)


def find_shapes(spec: Spec) -> tuple[ResultShape, ...]:
    """Return the types of results that a block can have."""
    match spec:
        case JudgedSpec():
            return (_judged_shape(strip_selection(spec)),)
        case IndicatorSpec(sli=IndicatorName.SUCCESS_RATE | IndicatorName.APDEX):
            return (_RATE,)
        case IndicatorSpec():
            return (_AMOUNT,)
        case ExpressionSpec():
            return _expression_shapes(spec)
        case GraphqlSpec():
            return (_query_shape(spec.query),)
        case AlarmsSpec():
            return (_alarms_shape(),)


def _expression_shapes(spec: ExpressionSpec) -> tuple[ResultShape, ...]:
    if spec.instances is not None:
        return (_INSTANCES,)
    if ranking_function(spec.expression):
        return (_RANKING, _NUMBER)
    if _AGGREGATION.match(spec.expression):
        return (_NUMBER, _LABEL_NUMBERS, _SERIES, _LABELS)
    return (_SERIES, _LABELS, _NUMBER, _LABEL_NUMBERS)


def strip_selection(spec: JudgedSpec) -> JudgedSpec:
    """Return a spec with the standard only, so that the judge's outcomes can be shared by blocks with the same one."""
    nothing = dict.fromkeys(("layer", "endpoint", "instances"))
    compare = spec.compare and spec.compare.model_copy(update={**nothing, "service": None})
    only = {**nothing, "service": "service", "compare": compare, "backend": None, "address": None, "conditions": None}
    return spec.model_copy(update=only)


@lru_cache(64)
def _judged_shape(spec: JudgedSpec) -> ResultShape:
    """Return the results of a canary that is worse, fine, and not decided, as the judge itself writes them."""
    results = (judge_sides(sides).result() for sides in (_failing(spec), _clean(spec), _thin(spec)))
    return ResultShape("a judgement", samples=tuple(json.dumps(one) for one in results), decides=True)


@lru_cache(64)
def _query_shape(query: str) -> ResultShape:
    """Return the responses to a query. Their texts are numbers, so that they do not show every outcome."""
    results = build_results(query)
    if results is None:
        return _DATA
    return ResultShape("the response to the query", samples=tuple(map(json.dumps, results)), complete=False)


@cache
def _alarms_shape() -> ResultShape:
    """Return the results without an alarm and with one, as the provider writes them."""
    alarm = OapAlarm(scope="Service", entity_id="", message="", began_at=0, tags=())
    fired = (SelectedAlarm(alarm, "example_rule"),)
    reports = AlarmReport(), AlarmReport(fired, fired, 1), AlarmReport(firing=fired)
    return ResultShape("alarms", samples=tuple(json.dumps(one.result()) for one in reports), decides=True)


def _failing(spec: JudgedSpec) -> Sides:
    return build_sides(spec, _CLEAN_MINUTES, MANY_CALLS, failing=True)


def _clean(spec: JudgedSpec) -> Sides:
    return build_sides(spec, _CLEAN_MINUTES, MANY_CALLS, failing=False)


def _thin(spec: JudgedSpec) -> Sides:
    return build_sides(spec, 1, 1, failing=False)


def build_sides(spec: JudgedSpec, minutes: int, calls: int, *, failing: bool) -> Sides:
    """Build minutes of a canary that fails completely, or not at all, beside a stable side without failures."""
    good = SideMinute(calls, 1.0, 1.0) if spec.judges_latency else SideMinute(calls, 0.0, 0.0)
    slow = 1000.0 * max(spec.objective or 1.0, spec.harmful or 1.0, _difference(spec))
    bad = SideMinute(calls, slow, slow) if spec.judges_latency else SideMinute(calls, float(calls), float(calls))
    canary = dict.fromkeys(range(minutes), bad if failing else good)
    stable = None if spec.stable is None else Side(dict.fromkeys(range(minutes), good))
    return Sides(spec, str(spec.sli), Side(canary), stable)


def _difference(spec: JudgedSpec) -> float:
    bound = spec.harmful_limit
    return 1.0 if bound is None else bound.difference + bound.ratio


def _literals(*conditions: str) -> Iterator[float]:
    found: dict[float, Any] = {}
    for condition in conditions:
        for match in _LITERAL.finditer(condition):
            found.setdefault(float(match[0]), None)
    return iter(list(found)[:_MAX_LITERALS])
