"""Trade-offs of margins and thresholds: the template's own setting has the outcomes of the replay."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any

import pytest
import pytest_asyncio

from skywalking_provider.block import JudgedSpec, parse_block
from skywalking_provider.block.compare import Bound
from skywalking_provider.model import Phase, Window
from skywalking_provider.queries.sides import Side, SideMinute, Sides
from skywalking_provider.tools.backtest.argo_rules import MetricRules
from skywalking_provider.tools.backtest.margin_study import FACTORS, find_abort, study_margin, with_margin
from skywalking_provider.tools.backtest.model import Backtest
from skywalking_provider.tools.backtest.outcome import MetricOutcome
from skywalking_provider.tools.backtest.page.chart_values import count_by_hour, place_in_lanes, split_points
from skywalking_provider.tools.backtest.study import RunMinutes
from skywalking_provider.tools.backtest.trade_off import study_threshold
from tests.tools.backtest.harness import HASHES, build_comparison, build_metric, build_template, open_stage

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]
METRICS = [
    build_metric("objective", sli="success-rate", objective=0.98),
    build_metric("lenient", sli="success-rate", objective=0.98, argo={"interval": "2m", "failureLimit": 3}),
    build_metric("once", sli="success-rate", objective=0.9, argo={"initialDelay": "3m"}),
    build_metric("late", sli="success-rate", objective=0.98, warmUp="4m"),
    {**build_metric("rate", sli="success-rate", window="5m"), "successCondition": "result >= 0.95"},
    {**build_metric("slow", sli="latency", window="5m"), "failureCondition": "result > 60"},
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def backtest() -> AsyncIterator[Backtest]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        yield await stage.backtest(build_template(*METRICS), pictures=True, length=timedelta(minutes=30))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def comparison() -> AsyncIterator[Backtest]:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        yield await stage.backtest(build_template(build_comparison(), args=HASHES), pictures=True)


def outcomes_of(backtest: Backtest, metric: str) -> list[MetricOutcome]:
    return [one for run in backtest.runs for one in run.metrics if one.metric == metric]


def minutes_of_failures(backtest: Backtest, metric: str) -> list[float | None]:
    return [
        (one.ended_at - run.start) / timedelta(minutes=1) if one.phase is Phase.FAILED else None
        for run in backtest.runs
        for one in run.metrics
        if one.metric == metric
    ]


@pytest.mark.parametrize("metric", ["objective", "lenient", "once", "late"])
async def test_minutes_judged_again_have_the_outcomes_of_the_replay(backtest: Backtest, metric: str) -> None:
    (study,) = [one for one in backtest.studies if one.target.name == metric]
    spec = study.spec
    assert isinstance(spec, JudgedSpec)
    again = [find_abort(run, spec, study.target.rules, study.settle) if run else None for run in study.minutes]

    assert again == minutes_of_failures(backtest, metric)
    assert any(again) == (metric != "once")


@pytest.mark.parametrize(("begin", "minutes"), [(11, 16), (12, 17), (13, None)])
async def test_measurement_waits_for_a_finding_from_the_first_closed_minute_on(
    begin: int, minutes: float | None
) -> None:
    """A minute closes a minute after its end, so that a budget of fifteen minutes ends at 17."""
    spec = parse_block(json.dumps({"service": "s", "sli": "success-rate", "objective": 0.95}).encode())
    assert isinstance(spec, JudgedSpec)
    calls = {at: SideMinute(3, 3, 3) if at >= begin else SideMinute(1, 0, 0) for at in range(30)}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    run = RunMinutes(Window(start, start + timedelta(minutes=30)), Sides(spec, "success-rate", Side(calls)))
    rules = MetricRules(interval=timedelta(minutes=1), count=None)

    assert find_abort(run, spec, rules, timedelta(minutes=1)) == minutes


async def test_margin_trades_aborts_against_detection(comparison: Backtest) -> None:
    (study,) = comparison.studies
    trade_off = study_margin(study, None)
    assert trade_off
    recorded, *faults = trade_off.lines
    current = FACTORS.index(1)

    assert recorded.rates[current].events == sum(run.aborts for run in comparison.runs) == 1
    assert recorded.minutes[current] == 5
    for line in trade_off.lines:
        shares = [rate.events for rate in line.rates]
        assert shares == sorted(shares, reverse=True)
    assert faults[-1].rates[current].events == 2  # 5 % more failed calls are found in both deploys
    assert [one.label for one in faults] == [f"{share} % more failed calls" for share in (1, 2, 5)]


async def test_threshold_of_the_template_has_the_aborts_of_the_replay(backtest: Backtest) -> None:
    studies = {one.target.name: one for one in backtest.studies}
    for metric, rising in (("rate", True), ("slow", False)):
        outcomes = outcomes_of(backtest, metric)
        trade_off = study_threshold(studies[metric], outcomes)
        assert trade_off
        (line,) = trade_off.lines
        aborts = [rate.events for rate in line.rates]
        with_data = [one for one in outcomes if one.has_data]

        assert aborts[trade_off.values.index(trade_off.current)] == sum(one.phase is Phase.FAILED for one in with_data)
        assert aborts == sorted(aborts, reverse=not rising)
        assert {aborts[0], aborts[-1]} == {0, len(with_data)}


async def test_metric_that_ended_is_measured_further_for_pictures_only(backtest: Backtest) -> None:
    (failed,) = [one for one in outcomes_of(backtest, "rate") if one.phase is Phase.FAILED]

    assert (failed.ended_at, len(failed.looks)) == (failed.looks[-1].at, 2)
    assert [later.at - earlier.at for earlier, later in zip(failed.later_looks, failed.later_looks[1:], strict=False)]
    assert failed.later_looks[0].at - failed.ended_at == timedelta(minutes=1)
    assert failed.later_looks[-1].phase is Phase.SUCCESSFUL
    assert not any(one.later_looks for one in outcomes_of(backtest, "objective"))


async def test_other_metrics_have_no_trade_off(backtest: Backtest) -> None:
    studies = {one.target.name: one for one in backtest.studies}

    assert study_margin(studies["rate"], None) is None
    assert study_threshold(studies["objective"], outcomes_of(backtest, "objective")) is None


@pytest.mark.parametrize(
    ("content", "factor", "tolerated", "harmful"),
    [
        ({}, 2.0, Bound(0.002, 1.5), Bound(0.01, 3)),
        ({}, 20.0, Bound(0.02, 6), Bound(0.02, 6)),
        ({}, 2000.0, Bound(0.5, 20), Bound(0.5, 20)),
        ({"sli": "latency"}, 0.5, Bound(5, 1.125), Bound(50, 2)),
    ],
)
async def test_margin_grows_within_the_limits_of_a_block(
    content: dict[str, Any], factor: float, tolerated: Bound, harmful: Bound
) -> None:
    keys = {"sli": "success-rate", "service": "s", "instances": {"podTemplateHash": "6c85f7bf4"}} | content
    spec = parse_block(json.dumps({**keys, "compare": {"instances": {"podTemplateHash": "7d4f9c8b65"}}}).encode())
    assert isinstance(spec, JudgedSpec)
    changed = with_margin(spec, factor)

    assert (changed.tolerated, changed.harmful_limit) == (tolerated, harmful)


@pytest.mark.parametrize(
    ("content", "factor", "wanted"),
    [
        ({"sli": "success-rate", "objective": 0.98}, 2.0, (0.96, 0.94)),
        ({"sli": "success-rate", "objective": 0.98}, 5.0, (0.9, 0.895)),
        ({"sli": "success-rate", "objective": 0.9}, 8.0, (0.51, 0.505)),
        ({"sli": "latency", "objective": 100}, 0.5, (50, 200)),
        ({"sli": "latency", "objective": 100}, 4.0, (400, 404)),
    ],
)
async def test_objective_moves_within_the_limits_of_a_block(
    content: dict[str, Any], factor: float, wanted: tuple[float, float]
) -> None:
    spec = parse_block(json.dumps({"service": "s", **content}).encode())
    assert isinstance(spec, JudgedSpec)
    changed = with_margin(spec, factor)

    assert (changed.objective, changed.harmful_objective) == pytest.approx(wanted)


async def test_calendar_counts_aborts_by_the_hour_of_the_start(backtest: Backtest) -> None:
    (hours,) = count_by_hour(backtest.runs, backtest.history.zone).values()

    assert sum(cell.runs + cell.without_data for cell in hours.values()) == len(backtest.runs)
    assert sum(cell.aborts for cell in hours.values()) == sum(run.aborts and run.has_data for run in backtest.runs)
    assert max(hours) - min(hours) in (7, 8)


async def test_runs_of_one_lane_do_not_overlap(backtest: Backtest) -> None:
    assert [lane for _, lane in place_in_lanes(backtest.runs, 8)] == [0] * len(backtest.runs)
    twice = (*backtest.runs, *backtest.runs)
    assert sorted({lane for _, lane in place_in_lanes(twice, 8)}) == [0, 1]
    assert len(place_in_lanes(twice, 1)) == len(backtest.runs)


async def test_line_of_many_values_keeps_its_extremes_and_its_gaps(backtest: Backtest) -> None:
    start = backtest.history.start
    points = [(start + timedelta(minutes=at), float(at == 4321)) for at in range(10_000) if not 5000 <= at < 6000]
    times, values = split_points(points)

    assert len(times) < 1300
    assert max(one for one in values if not isnan(one)) == 1.0
    assert sum(map(isnan, values)) == 1
