"""The words everybody shares: phases, reasons, instants, windows, measurements. Standard library only."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Phase(StrEnum):
    """Argo's AnalysisPhase."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @property
    def completed(self) -> bool:
        """Whether Argo takes a measurement of this phase as finished."""
        return self not in (Phase.PENDING, Phase.RUNNING)


class Secret:
    """A text that does not show itself. Only `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text; call it where the text is sent, nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('********')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A monotonic instant by which an answer is due. It travels instead of a number of seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    def minus(self, seconds: float) -> "Deadline":
        """A deadline that leaves so many seconds for what comes after."""
        return Deadline(self.at - seconds)


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets of SkyWalking time, `start` inclusive, `end` exclusive, both aware and on bucket borders."""

    start: datetime
    end: datetime
    step: timedelta = timedelta(minutes=1)

    @property
    def buckets(self) -> int:
        """How many buckets the window has."""
        return (self.end.astimezone(UTC) - self.start.astimezone(UTC)) // self.step


class Scope(StrEnum):
    """SkyWalking's scope of a metric."""

    SERVICE = "Service"
    INSTANCE = "ServiceInstance"
    ENDPOINT = "Endpoint"


@dataclass(frozen=True, slots=True)
class Entity:
    """What a metric belongs to; `normal` is false for what agents only call, such as a database."""

    service: str
    normal: bool = True
    instance: str | None = None
    endpoint: str | None = None

    @property
    def scope(self) -> Scope:
        """The scope that the parts make."""
        if self.instance is not None:
            return Scope.INSTANCE
        return Scope.SERVICE if self.endpoint is None else Scope.ENDPOINT

    @property
    def name(self) -> str:
        """The most particular name."""
        return self.instance or self.endpoint or self.service


@dataclass(frozen=True, slots=True)
class EntitySet:
    """The entities of one measurement: one, or the instances that a selector found.

    Attributes:
        members: At least one, all of one scope.
        layers: The layers of the service.
        selector: The selector of the instances as written, for messages; empty for a single entity.
    """

    members: tuple[Entity, ...]
    layers: tuple[str, ...] = ()
    selector: str = ""

    @property
    def scope(self) -> Scope:
        """The scope of all."""
        return self.members[0].scope


@dataclass(frozen=True, slots=True)
class Measurement:
    """What Argo stores of one measurement; times are aware."""

    phase: Phase
    started_at: datetime
    message: str = ""
    value: str = ""
    finished_at: datetime | None = None
    resume_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metric:
    """The part of Argo's Metric that a provider needs; `block` is the JSON under provider.plugin.<name>."""

    name: str
    success_condition: str
    failure_condition: str
    block: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """The part of an AnalysisRun that a provider needs."""

    namespace: str = ""
    name: str = ""
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    owner_kind: str = ""
    owner_name: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None

    @property
    def background(self) -> bool:
        """Whether the run stays beside the rollout's steps (Argo's rollout-type label)."""
        return self.labels.get("rollout-type") == "Background"
