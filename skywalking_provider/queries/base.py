"""Interface of a query type, and the results of its operations."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum, auto
from typing import Protocol

from skywalking_provider.model import Deadline, EntitySet, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries.causes.target import CauseTarget
from skywalking_provider.queries.sample import Sample
from skywalking_provider.support.durations import format_duration


@dataclass(frozen=True, slots=True)
class CollectedSample:
    """A sample with its origin.

    Attributes:
        sample: Result and series.
        subject: Measured entities, for messages: "3 instances of 6c85f7bf4". Empty if the block names them itself.
        requests: Requests that were sent for the sample.
        entities: Measured entities, those of the canary in a judged block; None if an author's query names none.
    """

    sample: Sample
    subject: str = ""
    requests: tuple[GraphqlRequest, ...] = ()
    entities: EntitySet | None = None


class DiagnosisKind(StrEnum):
    """Likely causes of missing data that may still disappear. Permanent ones are a `ProviderError`."""

    UNKNOWN = auto()
    """No cause was found. Usually the service had no calls."""
    SERVICE_NOT_FOUND = auto()
    """OAP does not list the service."""
    WRONG_NORMAL = auto()
    """OAP lists the service with the other value of `normal`."""
    UNKNOWN_LABELS = auto()
    """The metric has other labels in the window than those that are requested."""
    ZERO_PERCENTILES = auto()
    """OAP before 9.5 writes 0 for an absent percentile and for one below 10 ms."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Likely cause of missing data.

    Attributes:
        kind: Cause.
        names: Response names of the affected reads.
        text: Description for messages; empty if the cause is unknown.
    """

    kind: DiagnosisKind = DiagnosisKind.UNKNOWN
    names: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class QueryDescription:
    """Facts of a metric that follow from its block alone. Argo shows them in the status of the run.

    Attributes:
        window: Length of the window.
        open_window: Whether the window ends now and so includes the unfinished minute.
        backend: Name of the backend; empty if the run's namespace may not know it.
        ui: Link to SkyWalking's UI.
        query: GraphQL text that is sent.
        expression: Metrics query expression.
        indicator: Name of the indicator.
        metrics: Metrics that the indicator reads.
        service: Name of the service.
        layer: Layer of the service.
        endpoint: Endpoint of the service.
        instances: Selector of instances.
        starts_at_run: Whether the window excludes buckets from before the start of the run.
        judged_against: Standard of a judged block: stable or an objective, with the limits.
        alarms: Rules, tags and scopes of the alarms that count.
    """

    window: timedelta
    open_window: bool = False
    backend: str = ""
    ui: str = ""
    query: str = ""
    expression: str = ""
    indicator: str = ""
    metrics: tuple[str, ...] = field(default=())
    service: str = ""
    layer: str = ""
    endpoint: str = ""
    instances: str = ""
    starts_at_run: bool = False
    judged_against: str = ""
    alarms: str = ""

    def to_metadata(self) -> dict[str, str]:
        """Return the facts as the metadata of `GetMetadata`, without empty ones."""
        suffix = " up to now, the unfinished minute included" if self.open_window else ""
        facts = {
            "backend": self.backend,
            "ui": self.ui,
            "ResolvedSkyWalkingQuery": self.query,
            "ResolvedSkyWalkingExpression": self.expression,
            "sli": self.indicator,
            "metrics": ", ".join(self.metrics),
            "service": self.service,
            "window": f"{format_duration(self.window)}{suffix}",
            "layer": self.layer,
            "endpoint": self.endpoint,
            "instances": self.instances,
            "since": "run" if self.starts_at_run else "",
            "judgedAgainst": self.judged_against,
            "alarms": self.alarms,
        }
        return {key: fact for key, fact in facts.items() if fact}


class Query(Protocol):
    """One query type of a block: what it requests, and how it computes a sample.

    Implementations hold their spec and no other state. The pure parts (building requests, decoding responses) are
    functions of their modules.
    """

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """Read the sample of a window.

        Raises:
            BackendUnavailableError: No usable response arrived before the deadline.
            EntityNotFoundError: OAP does not list the entity yet.
            ProviderError: The block or the response is invalid; waiting does not help.
        """
        ...

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:
        """Return the likely cause of the sample's empty series.

        Raises:
            ProviderError: The cause is permanent; waiting does not help.
        """
        ...

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """Return the names of the services that are measured without a selection of instances. No request is sent.

        Raises:
            ProviderError: The block cannot be measured.
        """
        ...

    def select_cause_target(self, backend: Backend) -> CauseTarget | None:
        """Return the services whose endpoints can explain a Failed verdict; None without any. No request is sent."""
        ...

    def describe(self, backend: Backend | None) -> QueryDescription:
        """Return the facts that follow from the block alone. No request is sent.

        Args:
            backend: Backend of the block. Without one, its name, link and name pattern are left out.

        Raises:
            ProviderError: The block cannot be measured.
        """
        ...
