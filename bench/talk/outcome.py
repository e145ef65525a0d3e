"""Outcome of each version, and the problems that end the talk with exit code 1."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.talk.snapshot import Measurement, Snapshot
from bench.talk.traffic_split import SplitCheck
from bench.talk.versions import Version

MIN_CALLS = 100
"""Fewer calls of a step say too little about the split."""


@dataclass(frozen=True, slots=True)
class VersionOutcome:
    """Outcome of a version.

    Attributes:
        version: The version.
        commit: Its Git commit.
        committed_at: Time of the commit.
        ended_at: Time at which the rollout had ended.
        last: State at the end.
        measurements: Measurements of this version.
        splits: Traffic of the steps.
        final: Traffic after the end.
        rollout_text: Output of `kubectl argo rollouts get rollout` at the end.
        canary_text: The same output during the canary.
        application_text: Output of `argocd app get` at the end.
    """

    version: Version
    commit: str
    committed_at: float
    ended_at: float
    last: Snapshot
    measurements: tuple[Measurement, ...]
    splits: tuple[SplitCheck, ...]
    final: SplitCheck
    rollout_text: str = ""
    canary_text: str = ""
    application_text: str = ""


def find_problems(outcome: VersionOutcome, weights: Sequence[int]) -> list[str]:
    """Return the differences between an outcome and the expected one; empty if it is as expected.

    Args:
        outcome: The outcome.
        weights: Weights of the rollout's steps.
    """
    name = outcome.version.name
    return [f"{name}: {problem}" for problem in (*_end_problems(outcome), *_traffic_problems(outcome, weights))]


def _end_problems(outcome: VersionOutcome) -> Iterator[str]:
    last, promoted = outcome.last, outcome.version.is_promoted
    health = "Healthy" if promoted else "Degraded"
    if last.health != health:
        yield f"Argo CD's health is {last.health or 'unknown'}, expected {health}"
    if promoted and not last.is_promoted(last.canary):
        yield f"the rollout is {last.phase or 'unknown'}, expected Healthy with the version as stable"
    if not promoted and not last.is_rolled_back(last.canary):
        yield f"the rollout is {last.phase or 'unknown'}, expected Degraded after an abort"
    if last.weight:
        yield f"the VirtualService has the weights {100 - last.weight}/{last.weight}, expected 100/0"
    phases = {one.phase for one in outcome.measurements}
    if promoted and "Successful" not in phases:
        yield "no measurement was Successful, so the version was promoted without a verdict"
    if not promoted and "Failed" not in phases:
        yield "no measurement was Failed"
    if not promoted and not _explains(outcome):
        yield f"Argo CD's message does not contain that of a failed measurement: {last.health_message or 'no message'}"


def _explains(outcome: VersionOutcome) -> bool:
    """Return whether Argo CD's message contains the reason code and the start of a failed measurement's message."""
    failed = [one.message for one in outcome.measurements if one.phase == "Failed" and one.message]
    return any(message.split(" · ")[0] in outcome.last.health_message for message in failed)


def _traffic_problems(outcome: VersionOutcome, weights: Sequence[int]) -> Iterator[str]:
    seen = [split.segment.weight for split in outcome.splits]
    if outcome.version.is_promoted and seen != list(weights):
        yield f"the canary's weights were {seen}, expected {list(weights)}"
    if not seen:
        yield "the canary had no traffic"
    for split in (*outcome.splits, outcome.final):
        share = f"{split.canary_calls} of {split.calls} calls at weight {split.segment.weight}"
        is_whole = split.segment.ends - split.segment.begins > 20
        if split.calls < MIN_CALLS and is_whole:
            yield f"{share}: fewer than {MIN_CALLS} calls with a response of a pod"
        elif not split.is_within_interval:
            yield f"{share} went to the canary, expected {split.lowest} to {split.highest}"
