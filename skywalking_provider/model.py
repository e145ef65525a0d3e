"""Types that every package shares: phases, deadlines, windows, entities, measurements. Standard library only."""

import time
from collections.abc import Callable, Mapping
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
        """Whether Argo treats a measurement of this phase as finished."""
        return self not in (Phase.PENDING, Phase.RUNNING)


class Secret:
    """A secret text, hidden in `repr` and `str`. Only `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Call it only where the text is sent."""
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
    """An instant by which a result is due. It is passed on instead of a number of seconds.

    Attributes:
        at: The instant, in seconds of `monotonic`.
        monotonic: Clock of the deadline.
    """

    at: float
    monotonic: Callable[[], float] = field(default=time.monotonic, compare=False, repr=False)

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> "Deadline":
        """Return the deadline that many seconds from now."""
        return cls(monotonic() + seconds, monotonic)

    @property
    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - self.monotonic())

    def minus(self, seconds: float) -> "Deadline":
        """Return an earlier deadline that leaves this many seconds for later steps."""
        return Deadline(self.at - seconds, self.monotonic)


@dataclass(frozen=True, slots=True)
class Window:
    """Whole buckets of SkyWalking time: `start` inclusive, `end` exclusive, both aware and on bucket borders."""

    start: datetime
    end: datetime
    step: timedelta = timedelta(minutes=1)

    @property
    def buckets(self) -> int:
        """Number of buckets in the window."""
        return (self.end.astimezone(UTC) - self.start.astimezone(UTC)) // self.step

    def bucket_start(self, at: int) -> datetime:
        """Return the start of the bucket at a position, in the window's zone. Clock changes inside it are respected."""
        return (self.start.astimezone(UTC) + at * self.step).astimezone(self.start.tzinfo)


class Scope(StrEnum):
    """SkyWalking's scope of a metric."""

    SERVICE = "Service"
    INSTANCE = "ServiceInstance"
    ENDPOINT = "Endpoint"


@dataclass(frozen=True, slots=True)
class Entity:
    """Owner of a metric. `normal` is false for an uninstrumented target of calls, such as a database."""

    service: str
    normal: bool = True
    instance: str | None = None
    endpoint: str | None = None

    @property
    def scope(self) -> Scope:
        """Scope that follows from the given parts."""
        if self.instance is not None:
            return Scope.INSTANCE
        return Scope.SERVICE if self.endpoint is None else Scope.ENDPOINT

    @property
    def name(self) -> str:
        """Name of the most specific part."""
        return self.instance or self.endpoint or self.service


@dataclass(frozen=True, slots=True)
class EntitySet:
    """Entities of one measurement: a single one, or the instances that a selector matched.

    Attributes:
        members: At least one entity; all have the same scope.
        layers: Layers of the service, first that of the block if it has one; empty if they are not known.
        selector: Selector of the instances as written, for messages; empty for a single entity.
    """

    members: tuple[Entity, ...]
    layers: tuple[str, ...] = ()
    selector: str = ""

    @property
    def scope(self) -> Scope:
        """Scope of all members."""
        return self.members[0].scope

    @property
    def instances(self) -> tuple[str, ...]:
        """Names of the instances; empty for a service or an endpoint."""
        return tuple(one.instance for one in self.members if one.instance is not None)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The part of a measurement that Argo stores. Times are aware."""

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
    def pod_template_hash(self) -> str:
        """Hash of the rollout's new version, which Argo gives to its runs as a label; empty for other runs."""
        return self.labels.get("rollouts-pod-template-hash", "")
