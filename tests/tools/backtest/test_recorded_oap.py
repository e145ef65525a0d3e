"""Tests of the reads of a backtest: how many, how they are kept, and what follows from failures."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from skywalking_provider.tools.backtest import live_reads
from skywalking_provider.tools.backtest.json_report import build_backtest_json
from skywalking_provider.tools.backtest.model import Backtest, BacktestError
from tests.tools.backtest.harness import (
    HASHES,
    Stage,
    build_comparison,
    build_metric,
    build_template,
    list_cache_files,
    open_stage,
)

pytestmark = pytest.mark.allow_slow_callbacks("a backtest computes for minutes, and serves no one meanwhile")

OBJECTIVE = build_template(build_metric(sli="success-rate", objective=0.9))
COMPARISON = build_template(build_comparison(), args=HASHES)
RATE = build_metric(
    argo={"successCondition": "result > 50", "interval": "1m"}, expression="avg(service_cpm)", window="5m"
)


def runs_of(backtest: Backtest) -> str:
    return json.dumps(build_backtest_json(backtest)["runs"])


async def test_a_series_is_read_once_in_chunks_of_six_hours() -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        await stage.backtest(OBJECTIVE)

    assert len(stage.data_requests) == 2  # from 00:00 and from 06:00; both have a part of the eight hours before noon


async def test_second_backtest_reads_no_data_from_the_oap(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        first = await stage.backtest(COMPARISON, cache=tmp_path)
        stage.oap.requests.clear()
        second = await stage.backtest(COMPARISON, cache=tmp_path)

    assert stage.data_requests == []
    assert second.cached > 0
    assert runs_of(second) == runs_of(first)


async def test_later_backtest_reads_only_the_newest_chunk_again(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        stage.clock.advance(3600)
        await stage.backtest(OBJECTIVE, cache=tmp_path)
        stage.oap.requests.clear()
        stage.clock.advance(600)
        await stage.backtest(OBJECTIVE, cache=tmp_path)

    assert len(stage.data_requests) == 1


async def test_damaged_files_are_read_anew_and_reported(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        first = await stage.backtest(OBJECTIVE, cache=tmp_path)
        for file in list_cache_files(tmp_path):
            file.write_bytes(file.read_bytes().replace(b'"100"', b'"101"').replace(b"0", b"1", 3))
        again = await stage.backtest(OBJECTIVE, cache=tmp_path)
        third = await stage.backtest(OBJECTIVE, cache=tmp_path)

    assert runs_of(again) == runs_of(first)
    assert [note for note in again.notes if "were not valid" in note]
    assert third.notes == ()


async def test_backtest_after_an_outage_continues_with_what_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_reads, "_PAUSES_SECONDS", (0.0,))
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        expected = await stage.backtest(OBJECTIVE)
        stage.oap.add_fault("status", status=503, match='"2026-11-24 0600"')
        with pytest.raises(BacktestError, match=r"backend prod cannot be read: .*Call the command again"):
            await stage.backtest(OBJECTIVE, cache=tmp_path)
        kept = len(list_cache_files(tmp_path))
        stage.oap.clear_faults()
        stage.oap.requests.clear()
        resumed = await stage.backtest(OBJECTIVE, cache=tmp_path)

    assert kept >= 1
    assert len(stage.data_requests) == 2 - kept // 2  # a file for each of two series
    assert runs_of(resumed) == runs_of(expected)


@pytest.mark.parametrize("limit", [1, 2])
async def test_no_more_requests_are_in_flight_than_permitted(limit: int) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        in_flight = await _count_in_flight(stage, limit)

    assert max(in_flight) == limit


async def _count_in_flight(stage: Stage, limit: int) -> list[int]:
    seen, current = [0], 0
    handle = stage.oap._handler.handle

    async def counted(*args: object) -> object:
        nonlocal current
        current += 1
        seen.append(current)
        try:
            for _ in range(20):  # lets other requests arrive
                await asyncio.sleep(0)
            return await handle(*args)  # type: ignore[arg-type]
        finally:
            current -= 1

    stage.oap._handler.handle = counted  # type: ignore[method-assign,assignment]
    stage.configs["prod"] = stage.configs["prod"].model_copy(update={"max_requests": limit})
    await stage.backtest(COMPARISON, max_requests=limit, since=timedelta(hours=24))
    return seen


async def test_aggregated_reads_of_many_looks_share_a_request() -> None:
    template = build_template(RATE)
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        backtest = await stage.backtest(template, since=timedelta(hours=2))

    looks = sum(len(one.looks) for run in backtest.runs for one in run.metrics)
    assert looks > 100
    assert len(stage.data_requests) <= looks / 20


async def test_a_query_that_the_oap_rejects_is_an_error_of_each_measurement() -> None:
    template = build_template(
        build_metric(
            argo={"successCondition": "result > 0", "interval": "1m"}, expression="no_such_metric", window="5m"
        )
    )
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack)
        backtest = await stage.backtest(template, since=timedelta(hours=2))

    assert {str(one.reason) for run in backtest.runs for one in run.metrics} == {"METRIC_UNAVAILABLE"} or {
        str(one.phase) for run in backtest.runs for one in run.metrics
    } == {"Error"}
    assert len(stage.data_requests) <= 3
