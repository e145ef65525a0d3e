"""Command line of the talk. Run it in a node of its own: lab/node/with.sh IMAGE.tar... -- python -m bench.talk."""

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console

from bench.oap_time_zone import UTC_OR_WEST, select_time_zone
from bench.talk.director import Director, TalkError
from bench.talk.events import Event, Part
from bench.talk.lab_parts import LabPartError, LabParts
from bench.talk.live_view import create_live_view, format_event, render_record
from bench.talk.load import LoadGenerator
from bench.talk.manifests import ROOT
from bench.talk.page import render_page
from bench.talk.pods import PodWatcher
from bench.talk.record import Record
from bench.talk.system import System
from bench.talk.ways import PLANS, Way


async def run_talk(way: Way, folder: Path, console: Console) -> Record:
    """Run one way and return its record; an error of the lab is a problem of the record."""
    load = LoadGenerator(PLANS[way].calls_per_second)
    rule = PLANS[way].service_name_rule
    zone = select_time_zone(UTC_OR_WEST, datetime.now(UTC))
    environment = {"OAP_ZONE": zone} | ({"K8S_SERVICE_NAME_RULE": f'"{rule}"'} if rule else {})

    def show(event: Event) -> None:
        if not console.is_terminal:
            console.print(format_event(event), markup=False, highlight=False, soft_wrap=True)

    async with System(folder, PLANS[way]) as system:
        parts = LabParts(folder, environment, lambda text: record.add_event(Part.LAB, text))
        pods = PodWatcher(system)
        record = Record(way, time.time(), load.calls, pods.hashes, show)
        director = Director(record, parts, load, system, pods, ZoneInfo(zone))
        with (
            create_live_view(console, lambda: render_record(record, director.version))
            if console.is_terminal
            else nullcontext()
        ):
            try:
                await director.run()
            except* (TalkError, LabPartError) as errors:
                record.problems += [str(one) for one in _leaves(errors)]
    return record


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


def to_json(record: Record) -> str:
    """Return the record as JSON, with the traffic as the checks of its splits."""
    return json.dumps(
        {
            "way": record.way,
            "startedAt": record.started_at,
            "problems": record.problems,
            "facts": record.facts,
            "memoryMiB": {part: round(size) for part, size in record.memory.items()},
            "outcomes": [asdict(one) for one in record.outcomes],
            "minutes": [asdict(one) for one in record.minutes],
            "events": [asdict(one) for one in record.events],
        },
        indent=1,
    )


def main() -> int:
    """Run the talk, write its reports and return the exit code."""
    parser = argparse.ArgumentParser(prog="bench.talk", description=__doc__)
    parser.add_argument("--way", type=Way, choices=list(Way), default=Way.HASH)
    parser.add_argument("--results", type=Path, default=ROOT / "bench/results")
    arguments = parser.parse_args()
    way: Way = arguments.way
    arguments.results.mkdir(parents=True, exist_ok=True)
    if "LAB_DIR" not in os.environ:
        parser.error("the talk runs in a node. Run make talk, or lab/node/with.sh.")
    console = Console()
    record = asyncio.run(run_talk(way, Path(os.environ["LAB_DIR"]), console))
    for suffix, text in (("json", to_json(record)), ("html", render_page(record))):
        path = arguments.results / f"talk.{way}.{suffix}"
        path.write_text(text)
        console.print(f"written: {path}")
    for problem in record.problems:
        console.print(f"not as expected: {problem}", markup=False)
    return 1 if record.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
