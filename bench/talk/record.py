"""Record of a talk: all that was seen, for the live view and the reports."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.talk.events import Event, Part, find_events
from bench.talk.minutes import Minute
from bench.talk.outcome import VersionOutcome
from bench.talk.snapshot import Snapshot
from bench.talk.traffic_split import Call
from bench.talk.ways import Way


@dataclass(slots=True)
class Record:
    """Record of one way.

    Attributes:
        way: The way.
        started_at: Time of the start.
        calls: Calls of the load generator.
        snapshots: Snapshots that differ from the one before, oldest first.
        latest: The latest snapshot.
        events: Events, oldest first.
        minutes: SkyWalking's minutes at the last read.
        hashes: Version of each pod-template-hash.
        outcomes: Outcomes of the versions that have ended.
        problems: Reasons for exit code 1.
        memory: Peaks of the resident memory in MiB by part.
        facts: Other figures of the report.
    """

    way: Way
    started_at: float
    calls: list[Call]
    hashes: dict[str, str]
    on_event: Callable[[Event], None]
    snapshots: list[Snapshot] = field(default_factory=lambda: [Snapshot(0.0)])
    latest: Snapshot = field(default_factory=lambda: Snapshot(0.0))
    events: list[Event] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    outcomes: list[VersionOutcome] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> list[tuple[float, int]]:
        """Return the observed weights of the canary with their times."""
        return [(one.at, one.weight) for one in self.snapshots[1:]]

    def add_event(self, part: Part, text: str) -> None:
        """Add an event that happened now."""
        self._add(Event(time.time(), part, text))

    def add_snapshot(self, now: Snapshot) -> None:
        """Add a snapshot if it differs from the last one in more than its time."""
        self.latest = now
        events = list(find_events(self.snapshots[-1], now))
        if events:
            self.snapshots.append(now)
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)
