"""Names of OAP's metrics by meaning, scope and layer. Source: OAP's core.oal."""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import EntitySet, Scope
from skywalking_provider.support.suggester import Suggest
from skywalking_provider.support.suggestions import did_you_mean

_MAX_NAMES = 8


class MetricMeaning(StrEnum):
    """Quantity that a metric measures. Its name depends on scope and layer."""

    CALLS = "calls"
    SUCCESS_RATE = "success-rate"
    LATENCY = "latency"
    PERCENTILE = "percentile"
    APDEX = "apdex"


@dataclass(frozen=True, slots=True)
class ScopeMetrics:
    """Names of the metrics of one scope. Several if OAP versions differ, none if OAP has no such metric."""

    calls: tuple[str, ...]
    success_rate: tuple[str, ...]
    latency: tuple[str, ...]
    percentile: tuple[str, ...] = ()
    apdex: tuple[str, ...] = ()

    def by_meaning(self, meaning: MetricMeaning) -> tuple[str, ...]:
        """Return the names of the metrics with a meaning."""
        match meaning:
            case MetricMeaning.CALLS:
                return self.calls
            case MetricMeaning.SUCCESS_RATE:
                return self.success_rate
            case MetricMeaning.LATENCY:
                return self.latency
            case MetricMeaning.PERCENTILE:
                return self.percentile
            case MetricMeaning.APDEX:
                return self.apdex
            case _:
                assert_never(meaning)


_SERVICE = ScopeMetrics(
    calls=("service_cpm",),
    success_rate=("service_sla",),
    latency=("service_resp_time",),
    percentile=("service_percentile",),
    apdex=("service_apdex",),
)
_INSTANCE = ScopeMetrics(
    calls=("service_instance_cpm",),
    success_rate=("service_instance_sla",),
    latency=("service_instance_resp_time",),
)
_ENDPOINT = ScopeMetrics(
    calls=("endpoint_cpm",),
    success_rate=("endpoint_sla",),
    latency=("endpoint_resp_time", "endpoint_avg"),  # the second until 9.1
    percentile=("endpoint_percentile",),
)


def _virtual_target_metrics(prefix: str) -> ScopeMetrics:
    """Return the metrics of a target without an agent. They are measured on the calling side."""
    return ScopeMetrics(
        calls=(f"{prefix}_access_cpm",),
        success_rate=(f"{prefix}_access_sla",),
        latency=(f"{prefix}_access_resp_time",),
        percentile=(f"{prefix}_access_percentile",),
    )


_VIRTUAL_PREFIXES = {"VIRTUAL_DATABASE": "database", "VIRTUAL_CACHE": "cache"}
_VIRTUAL_TARGETS = {layer: _virtual_target_metrics(prefix) for layer, prefix in _VIRTUAL_PREFIXES.items()}
_LAYER_PREFIXES = {
    "BROWSER": "browser_app_",
    "K8S_SERVICE": "kubernetes_service_",
    "VIRTUAL_GENAI": "gen_ai_",
    "VIRTUAL_MQ": "mq_service_",
}
"""Layers whose services have metrics of other meanings, with the prefix of these (OAP's ebpf.oal, browser.oal, ...)."""
_SCOPES = {Scope.SERVICE: _SERVICE, Scope.INSTANCE: _INSTANCE, Scope.ENDPOINT: _ENDPOINT}
_SOURCES = {Scope.SERVICE: "Service", Scope.INSTANCE: "ServiceInstance", Scope.ENDPOINT: "Endpoint"}
_PREFIXES = {Scope.SERVICE: "service", Scope.INSTANCE: "service_instance", Scope.ENDPOINT: "endpoint"}
_OAL_EXAMPLES = {
    MetricMeaning.PERCENTILE: "{prefix}_percentile = from({source}.latency).percentile2(10);",  # percentile(10) in 9.x
    MetricMeaning.APDEX: "{prefix}_apdex = from({source}.latency).apdex({service}, status);",
    MetricMeaning.SUCCESS_RATE: "{prefix}_sla = from({source}.*).percent(status == true);",
    MetricMeaning.LATENCY: "{prefix}_resp_time = from({source}.latency).longAvg();",
    MetricMeaning.CALLS: "{prefix}_cpm = from({source}.*).cpm();",
}


def core_metrics() -> dict[str, tuple[Scope, MetricMeaning]]:
    """Return the metrics of every OAP by name, each with its scope and meaning."""
    groups = [*_SCOPES.items(), *((Scope.SERVICE, one) for one in _VIRTUAL_TARGETS.values())]
    return {
        name: (scope, meaning)
        for scope, names in groups
        for meaning in MetricMeaning
        for name in names.by_meaning(meaning)
    }


def resolve_scope_metrics(entities: EntitySet, known: Collection[str] = ()) -> ScopeMetrics:
    """Return the metrics of the entities' scope and layer.

    Args:
        entities: Entities of the measurement.
        known: Metrics of the OAP, for the hint.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, if the metrics of the layer have other meanings.
    """
    layers = set(entities.layers)
    if layers and layers <= _LAYER_PREFIXES.keys():
        layer = min(layers)
        raise ProviderError(
            Reason.METRIC_UNAVAILABLE,
            f"services of layer {layer} have no metrics of calls, success rate and latency under the usual names",
            f"use an expression with {_list_examples(_LAYER_PREFIXES[layer], known)}",
        )
    if virtual := _virtual_target(entities):
        return _VIRTUAL_TARGETS[virtual]
    return _SCOPES[entities.scope]


def _list_examples(prefix: str, known: Collection[str]) -> str:
    names = heapq.nsmallest(_MAX_NAMES + 1, (name for name in known if name.startswith(prefix)))
    return (
        f"one of {', '.join(names[:_MAX_NAMES])}{', …' if len(names) > _MAX_NAMES else ''}" if names else f"{prefix}*"
    )


def calls_metric(entities: EntitySet) -> str:
    """Return the metric that counts calls per minute. Raises as `resolve_scope_metrics`."""
    return resolve_scope_metrics(entities).calls[0]


def available_metric(
    meaning: MetricMeaning,
    candidates: tuple[str, ...],
    known: Collection[str],
    entities: EntitySet,
    suggest: Suggest = did_you_mean,
) -> str:
    """Return the metric with a meaning that the OAP has.

    Args:
        meaning: Meaning of the metric.
        candidates: Possible names.
        known: Metrics of the OAP.
        entities: Entities of the measurement.
        suggest: Function for the hint.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, with the OAL line that adds the metric.
    """
    existing = [name for name in candidates if name in known]
    if existing:
        return existing[0]
    virtual = _virtual_target(entities)
    example = _oal_example(meaning, entities.scope, virtual)
    added = example.split(" = ")[0]
    if not candidates and added in known:  # the OAP's administrator has added the line
        return added
    if virtual:  # metrics of other entities are no substitute, however similar their names are
        prefix = f"{_VIRTUAL_PREFIXES[virtual]}_"
        known = [name for name in known if name.startswith(prefix)]
        place = f"for services of layer {virtual}{f' ({candidates[0]})' if candidates else ''}"
    else:
        place = f"at the scope {entities.scope.value}"
    suggestion = f"{suggest(candidates[0], known, 'metrics')} " if candidates and not (virtual and not known) else ""
    raise ProviderError(
        Reason.METRIC_UNAVAILABLE,
        f"OAP has no {meaning} {place}",
        f"{suggestion}Add `{example}` to the OAP's OAL, or choose another indicator or entity",
    )


def _oal_example(meaning: MetricMeaning, scope: Scope, virtual: str) -> str:
    service = "name" if scope is Scope.SERVICE else "serviceName"  # field whose Apdex threshold applies
    prefix, source = _PREFIXES[scope], _SOURCES[scope]
    if virtual:
        prefix, source = f"{_VIRTUAL_PREFIXES[virtual]}_access", f"{_VIRTUAL_PREFIXES[virtual].title()}Access"
    return _OAL_EXAMPLES[meaning].format(prefix=prefix, source=source, service=service)


def _virtual_target(entities: EntitySet) -> str:
    """Return the layer of a service that is a target without an agent; empty for other entities."""
    layers = set(entities.layers)
    is_virtual = entities.scope is Scope.SERVICE and len(layers) == 1 and layers <= _VIRTUAL_TARGETS.keys()
    return min(layers) if is_virtual else ""
