"""Options of a suggestion, the past of a service as it was read, and the suggested metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final

from skywalking_provider.block import IndicatorName
from skywalking_provider.queries.sides import SideMinute
from skywalking_provider.tools.backtest.history import History
from skywalking_provider.tools.backtest.versions import VersionCalls

DEFAULT_WEIGHT: Final = 10
"""Canary's share of the calls in percent, without a Rollout."""


class SuggestError(Exception):
    """A template that cannot be suggested. The message names the problem and the next step."""


class NoTrafficError(SuggestError):
    """A service without calls, so that there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class SuggestOptions:
    """Options of a suggestion.

    Attributes:
        service: Name of the service in SkyWalking.
        since: Length of the past.
        layer: Layer of the service; None if the name is unique.
        backend: Name of the backend; None if there is only one.
        namespace: Namespace of the template; None without one.
        name: Name of the template; None for one that is made of the service's.
        thresholds: Whether to write thresholds in place of judged blocks.
        background: Whether to write a second template for a background analysis.
        weight: Canary's share of the calls in percent, without a Rollout.
        plugin: Name of the plugin in Argo's configuration.
        max_requests: Requests at a time.
        cache: Folder of the recorded responses.
        writes_backend: Whether the blocks must name the backend.
        rollout: Whether a Rollout's manifest is changed, so that the template needs no example of its use.
    """

    service: str
    since: timedelta
    layer: str | None = None
    backend: str | None = None
    namespace: str | None = None
    name: str | None = None
    thresholds: bool = False
    background: bool = False
    weight: float = DEFAULT_WEIGHT
    plugin: str = "skywalking/metrics"
    max_requests: int = 2
    cache: Path | None = None
    writes_backend: bool = False
    rollout: bool = False


@dataclass(frozen=True, slots=True)
class Survey:
    """Past of a service.

    Attributes:
        service: Name of the service.
        layers: Layers of the service.
        history: Minutes that were read.
        minutes: Minutes with calls of the whole service by indicator, by their position in the history. An indicator
            that the OAP does not have is missing.
        first: Position of the first minute with calls.
        instances: Number of instances that the OAP listed.
        versions: Calls of the versions that the names or labels of the pods have.
        most_pods: Number of pods of the version that has most.
        unnamed: Names of instances whose version is not known, a few of them.
        unnamed_count: Number of instances whose version is not known.
        lacking: Messages about indicators that the OAP does not have.
    """

    service: str
    layers: tuple[str, ...]
    history: History
    minutes: Mapping[IndicatorName, Mapping[int, SideMinute]]
    first: int
    instances: int
    versions: tuple[VersionCalls, ...] = ()
    most_pods: int = 0
    unnamed: tuple[str, ...] = ()
    unnamed_count: int = 0
    lacking: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Number of minutes from the first one with calls to the end."""
        return self.total - self.first

    @property
    def total(self) -> int:
        """Number of minutes of the history."""
        return int((self.history.end - self.history.start) / timedelta(minutes=1))

    def minute_at(self, position: int) -> datetime:
        """Return the start of a minute in the OAP's zone."""
        return (self.history.start + timedelta(minutes=position)).astimezone(self.history.zone)


class Form(Enum):
    """How the metrics decide."""

    COMPARE = "compare"
    OBJECTIVE = "objective"
    THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True)
class SuggestedMetric:
    """One metric of the suggested template.

    Attributes:
        indicator: Indicator that it measures.
        argo: Keys of Argo beside the name and the provider.
        block: Block of the provider, without the service and the instances.
        reasons: Comments above the metric, a line each.
        key_reasons: Comments behind keys of `block` and `argo`.
    """

    indicator: IndicatorName
    argo: Mapping[str, Any]
    block: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    key_reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Contents of a template, before it is written.

    Attributes:
        form: How the metrics decide.
        by_pods: Whether versions are selected by the hashes of their pods.
        metrics: Metrics of the template.
        reasons: Comments at the top, a line each.
        advice: What the author should know and do, for standard error.
    """

    form: Form
    by_pods: bool
    metrics: tuple[SuggestedMetric, ...]
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
