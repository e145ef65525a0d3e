"""Events of the timeline: the differences between two snapshots, as lines for the live view and the report."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.talk.snapshot import Measurement, Snapshot


class Part(StrEnum):
    """Part of the system in which an event happened."""

    LAB = "lab"
    GIT = "Git"
    ARGO_CD = "Argo CD"
    ROLLOUT = "Rollout"
    ISTIO = "Istio"
    SKYWALKING = "SkyWalking"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the timeline."""

    at: float
    part: Part
    text: str


def find_events(before: Snapshot, now: Snapshot) -> Iterator[Event]:
    """Yield the differences of two snapshots as events."""
    if (before.revision, before.sync) != (now.revision, now.sync):
        yield Event(now.at, Part.ARGO_CD, f"{now.sync or 'not compared'} with commit {now.revision[:7] or '-'}")
    if before.health != now.health:
        yield Event(now.at, Part.ARGO_CD, f"health {before.health or '-'} → {now.health}")
    if before.canary != now.canary and now.canary:
        yield Event(now.at, Part.ROLLOUT, f"new ReplicaSet {now.canary}")
    if (before.phase, before.step) != (now.phase, now.step):
        yield Event(now.at, Part.ROLLOUT, f"{now.phase or 'new'}, steps done: {now.step}")
    if before.stable != now.stable:
        yield Event(now.at, Part.ROLLOUT, f"stable is {now.stable}")
    if before.weight != now.weight:
        yield Event(now.at, Part.ISTIO, f"weights stable/canary {100 - now.weight}/{now.weight}")
    yield from (_measured(now.at, one) for one in new_measurements(before, now))
    if now.aborted and now.health_message not in ("", before.health_message):
        yield Event(now.at, Part.ARGO_CD, f"message of the Rollout: {now.health_message}")


def new_measurements(before: Snapshot, now: Snapshot) -> Iterator[Measurement]:
    """Yield the measurements that are new, or have another phase. The message of a waiting one changes each minute."""
    known = {one.key: one.phase for one in before.measurements}
    yield from (one for one in now.measurements if known.get(one.key) != one.phase)


def _measured(at: float, measurement: Measurement) -> Event:
    detail = measurement.message or f"value {measurement.value}"
    return Event(at, Part.VERDICT, f"{measurement.metric}: {measurement.phase}, {detail}")
