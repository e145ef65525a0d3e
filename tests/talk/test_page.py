"""Page and JSON of a record, and the live view: complete, without other files, and with every text escaped."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.talk.__main__ import to_json
from bench.talk.events import Part
from bench.talk.live_view import render_record
from bench.talk.minutes import Minute
from bench.talk.outcome import VersionOutcome
from bench.talk.page import render_page
from bench.talk.record import Record
from bench.talk.snapshot import Measurement, Snapshot
from bench.talk.traffic_split import Call, WeightSegment, check_split
from bench.talk.versions import UPDATES, Version
from bench.talk.ways import Way

START = 1_764_500_000.0
MESSAGE = 'CONDITION_NOT_MET success-rate 0.8, wanted "result < 1" · 3 buckets'


def outcome(version: Version, index: int, calls: list[Call]) -> VersionOutcome:
    begins = START + 60 + 300 * index
    phase, health = ("Successful", "Healthy") if version.is_promoted else ("Failed", "Degraded")
    message = "" if version.is_promoted else f"RolloutAborted: {MESSAGE}"
    last = Snapshot(
        begins + 240, "abcdef0123", "Synced", health, message, health, "h", "h", 2, aborted=not version.is_promoted
    )
    measured = Measurement(f"run-{index}", "success-rate", 0, phase, "0.8", MESSAGE, "2025-11-30T11:00:30Z")
    splits = [WeightSegment(begins + 10, begins + 120, 10), WeightSegment(begins + 120, begins + 240, 50)]
    final = WeightSegment(begins + 240, begins + 260, 100 if version.is_promoted else 0)
    return VersionOutcome(
        version,
        "abcdef0123",
        begins,
        begins + 240,
        last,
        (measured,),
        tuple(check_split(one, calls, version.name) for one in splits),
        check_split(final, calls, version.name),
        "Name: reviews-rollout <text>",
        "Name: reviews-rollout, Paused",
        "Health Status: Healthy",
    )


@pytest.fixture
def record() -> Record:
    calls = [Call(START + second, "v2" if second % 10 == 0 else "v1", 200, 0.02) for second in range(960)]
    record = Record(Way.HASH, START, calls, {"h": "v2"}, lambda _: None)
    for at, weight, health in ((0, 0, "Healthy"), (70, 10, "Suspended"), (180, 50, "Suspended"), (300, 0, "Degraded")):
        record.add_snapshot(
            Snapshot(
                START + at, "abcdef0123", "Synced", health, MESSAGE, health, "h", "h", 1, health == "Degraded", weight
            )
        )
    record.outcomes += [outcome(version, index, calls) for index, version in enumerate(UPDATES)]
    record.minutes += [
        Minute(START - START % 60 + 60 * index, "v2 (reviews.bookinfo)", 120, 0.8, 20.0) for index in range(15)
    ]
    record.memory |= {"OAP": 600.0, "sum": 3000.0}
    record.facts["minutes"] = "21.0"
    record.add_event(Part.LAB, "etcd is ready")
    return record


def test_page_has_the_timeline_and_the_reason_of_each_abort(record: Record) -> None:
    page = render_page(record)
    [chart] = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    texts = [one.text for one in ET.fromstring(chart).iter("text")]  # noqa: S314 - the page of this test

    assert [f"{one.name} · abcdef0" for one in UPDATES if f"{one.name} · abcdef0" in texts] == [
        f"{one.name} · abcdef0" for one in UPDATES
    ]
    assert {"verdicts: success-rate", "Argo CD: health", "v2"} <= set(texts)
    assert page.count("RolloutAborted: CONDITION_NOT_MET success-rate 0.8, wanted &quot;result &lt; 1&quot;") == 2
    assert "&lt;text&gt;" in page


def test_page_needs_no_other_file(record: Record) -> None:
    assert not re.search(r"(src|href)=|@import|url\(", render_page(record))


def test_page_of_a_talk_that_failed_has_its_problems(record: Record) -> None:
    record.problems.append("timeout after 240 s while waiting for <traffic>")
    record.outcomes.clear()

    assert "waiting for &lt;traffic&gt;" in render_page(record)


def test_json_has_outcomes_and_problems(record: Record) -> None:
    record.outcomes[0] = replace(record.outcomes[0], commit="1234567")
    data = json.loads(to_json(record))

    assert data["outcomes"][0]["commit"] == "1234567"
    assert data["outcomes"][1]["splits"][0]["segment"]["weight"] == 10
    assert data["problems"] == []


def test_live_view_shows_weight_minutes_and_events(record: Record) -> None:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(render_record(record, "v2"))
    text = capture.get()

    assert "0 % to the canary" in text
    assert "v2 (reviews.bookinfo)" in text
    assert "etcd is ready" in text
