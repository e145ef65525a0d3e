"""Resolution of the window of one attempt: on the OAP's clock, limited by the start of the run."""

import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest

from skywalking_provider.analysis.window import MeasurementWindow, resolve_window
from skywalking_provider.block import parse_block
from skywalking_provider.model import Deadline, Run, Window
from skywalking_provider.oap.api.server_time import ServerClock
from tests.analysis.test_window import MINUTE, utc

CLOCK = ServerClock(timedelta(seconds=-90), timezone(timedelta(hours=8)))
SETTLE = timedelta(seconds=60)
STARTED = utc("2026-11-24 09:26:40")  # 17:25:10 on the OAP's clock


async def resolve(
    run: Run, now: datetime = STARTED, *, zone_clock: ServerClock = CLOCK, **keys: str
) -> tuple[str, str, str, str]:
    """Return the window, and the times of this process's clock, as texts."""
    block = {"sli": "apdex", "window": "3m", "service": "reviews"} | keys
    deadlines: list[Deadline] = []

    async def time(deadline: Deadline) -> ServerClock:
        deadlines.append(deadline)
        return zone_clock

    connection = SimpleNamespace(time=time, config=SimpleNamespace(settle=SETTLE))
    backend = cast("Any", SimpleNamespace(connection=connection))
    deadline = Deadline.after(5)
    resolved = await resolve_window(parse_block(json.dumps(block).encode()), backend, run, STARTED, now, deadline)

    assert (deadlines, resolved.clock_offset) == ([deadline], zone_clock.offset)
    window = (resolved.window.start, resolved.window.end)
    assert {one.utcoffset() for one in window} == {timedelta(hours=8)}
    assert resolved.next_bucket.tzinfo is resolved.wait_starts_at.tzinfo is UTC
    start, end, next_bucket, wait_starts_at = (
        one.strftime("%H:%M:%S") for one in (*window, resolved.next_bucket, resolved.wait_starts_at)
    )
    return start, end, next_bucket, wait_starts_at


async def test_window_is_on_the_clock_of_the_oap_and_waits_on_the_local_one() -> None:
    # The minute 17:24 closes at 17:26:00 of the OAP, which is 09:27:30 here.
    assert await resolve(Run()) == ("17:21:00", "17:24:00", "09:27:30", "09:26:40")


@pytest.mark.parametrize(
    ("started_at", "start", "wait_starts_at"),
    [
        ("2026-11-24 09:00:00", "17:21:00", "09:26:40"),
        ("2026-11-24 09:24:30", "17:23:00", "09:26:40"),  # 17:23:00 of the OAP: its minute has closed
        ("2026-11-24 09:24:31", "17:24:00", "09:27:30"),
        ("2026-11-24 09:26:00", "17:25:00", "09:28:30"),
        ("2026-11-24 19:00:00", "17:26:00", "09:29:30"),  # a run cannot start after now: a wrong clock
    ],
)
async def test_window_since_the_run_starts_with_its_first_whole_minute(
    started_at: str, start: str, wait_starts_at: str
) -> None:
    for run in (Run(started_at=utc(started_at)), Run(created_at=utc(started_at))):
        window = await resolve(run)
        assert (window[0], window[3]) == (start, wait_starts_at)
        assert window[1] == max(start, "17:24:00")


async def test_window_that_does_not_start_at_the_run_has_its_whole_length() -> None:
    run = Run(started_at=utc("2026-11-24 09:26:00"))

    assert await resolve(run, since="window") == ("17:21:00", "17:24:00", "09:27:30", "09:26:40")


async def test_start_of_the_run_precedes_its_creation() -> None:
    run = Run(created_at=utc("2026-11-24 09:00"), started_at=utc("2026-11-24 09:24:30"))

    assert (await resolve(run))[0] == "17:23:00"


async def test_settle_delay_of_the_block_replaces_that_of_the_backend() -> None:
    assert await resolve(Run(), settle="0s") == ("17:22:00", "17:25:00", "09:27:30", "09:26:40")
    assert await resolve(Run(), settle="2m") == ("17:20:00", "17:23:00", "09:27:30", "09:26:40")


async def test_window_of_a_later_attempt_grows() -> None:
    assert await resolve(Run(), STARTED + 2 * MINUTE) == ("17:21:00", "17:26:00", "09:29:30", "09:26:40")


async def test_window_of_the_built_in_provider_needs_neither_clock_nor_zone_of_the_oap() -> None:
    block = {"query": "query { a }", "interval": "3m", "compatibility": "argo"}

    resolved = await resolve_window(
        parse_block(json.dumps(block).encode()),
        cast("Any", None),
        Run(started_at=STARTED),
        STARTED,
        STARTED + MINUTE,
        Deadline.after(5),
    )

    assert (resolved.window.start, resolved.window.end) == (utc("2026-11-24 09:24"), utc("2026-11-24 09:28"))
    assert resolved.window.end.tzinfo is not None
    assert (resolved.next_bucket, resolved.wait_starts_at) == (STARTED + 2 * MINUTE, STARTED)
    assert resolved.clock_offset == timedelta(0)


async def test_window_since_the_run_keeps_the_start_of_the_run_on_the_clock_of_the_oap() -> None:
    connection = SimpleNamespace(time=clock_of_the_oap, config=SimpleNamespace(settle=SETTLE))
    spec = parse_block(json.dumps({"sli": "apdex", "window": "3m", "service": "reviews"}).encode())

    for run, not_before in ((Run(started_at=STARTED), CLOCK.to_server(STARTED)), (Run(), None)):
        backend = cast("Any", SimpleNamespace(connection=connection))
        resolved = await resolve_window(spec, backend, run, STARTED, STARTED, Deadline.after(5))
        assert resolved.run_start == not_before


@pytest.mark.parametrize(
    ("run", "start"),
    [
        (Run(started_at=STARTED, created_at=STARTED - MINUTE), STARTED),
        (Run(created_at=STARTED - MINUTE), STARTED - MINUTE),
        (Run(), STARTED),
    ],
)
async def test_window_of_a_judged_block_starts_after_the_warm_up(run: Run, start: datetime) -> None:
    connection = SimpleNamespace(time=clock_of_the_oap, config=SimpleNamespace(settle=SETTLE))
    block = {"sli": "apdex", "service": "reviews", "objective": 0.9, "warmUp": "2m"}
    backend = cast("Any", SimpleNamespace(connection=connection))

    now = STARTED + 10 * MINUTE
    resolved = await resolve_window(
        parse_block(json.dumps(block).encode()), backend, run, STARTED, now, Deadline.after(5)
    )

    first = (CLOCK.to_server(start) + 2 * MINUTE).astimezone(UTC)
    assert resolved.run_start == CLOCK.to_server(start)
    assert resolved.start_delay == 2 * MINUTE
    assert timedelta(0) <= resolved.window.start.astimezone(UTC) - first < MINUTE
    assert resolved.buckets_since_start == resolved.window.buckets > 0


async def clock_of_the_oap(_: Deadline) -> ServerClock:
    return CLOCK


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-11-24 09:22", ("2026-11-24 09:22", "2026-11-24 09:25")),
        ("2026-11-24 09:24", ("2026-11-24 09:24", "2026-11-24 09:25")),
        ("2026-11-24 09:25", ("2026-11-24 09:25", "2026-11-24 09:25")),
        ("2026-11-24 09:30", ("2026-11-24 09:30", "2026-11-24 09:30")),
    ],
)
def test_window_from_a_later_start_ends_as_before_or_is_empty(start: str, expected: tuple[str, str]) -> None:
    window = Window(utc("2026-11-24 09:20"), utc("2026-11-24 09:25"))
    measured = MeasurementWindow(window, STARTED, STARTED + MINUTE, timedelta(seconds=5), STARTED - MINUTE)

    later = measured.starting_at(utc(start))

    assert (later.window.start, later.window.end) == (utc(expected[0]), utc(expected[1]))
    assert later == MeasurementWindow(later.window, STARTED, STARTED + MINUTE, timedelta(seconds=5), STARTED - MINUTE)


def test_window_from_a_later_start_keeps_its_step() -> None:
    step = timedelta(minutes=2)
    window = Window(utc("2026-11-24 09:20"), utc("2026-11-24 09:26"), step)

    assert MeasurementWindow(window, STARTED, STARTED).starting_at(utc("2026-11-24 09:22")).window.step == step
