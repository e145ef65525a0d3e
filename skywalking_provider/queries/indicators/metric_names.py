"""Which metric of OAP means what, by scope and layer. Source: OAP's core.oal."""

from collections.abc import Collection
from dataclasses import dataclass

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import EntitySet, Scope
from skywalking_provider.support.suggestions import did_you_mean

_MAX_NAMES = 8
_OAL_HINT = "add it to the OAP's OAL, for example"


@dataclass(frozen=True, slots=True)
class ScopeMetrics:
    """The metrics of one scope; several where versions differ, none where OAP has no such metric."""

    calls: tuple[str, ...]
    success_rate: tuple[str, ...]
    latency: tuple[str, ...]
    percentile: tuple[str, ...] = ()
    apdex: tuple[str, ...] = ()


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
    latency=("endpoint_resp_time", "endpoint_avg"),  # the older name: up to 9.1
    percentile=("endpoint_percentile",),
)


def _virtual_target_metrics(prefix: str) -> ScopeMetrics:
    """What agents only call: its metrics come from their side."""
    return ScopeMetrics(
        calls=(f"{prefix}_access_cpm",),
        success_rate=(f"{prefix}_access_sla",),
        latency=(f"{prefix}_access_resp_time",),
        percentile=(f"{prefix}_access_percentile",),
    )


_VIRTUAL_TARGETS = {
    "VIRTUAL_DATABASE": _virtual_target_metrics("database"),
    "VIRTUAL_CACHE": _virtual_target_metrics("cache"),
}
_LAYER_PREFIXES = {
    "BROWSER": "browser_app_",
    "K8S_SERVICE": "kubernetes_service_",
    "VIRTUAL_GENAI": "gen_ai_",
    "VIRTUAL_MQ": "mq_service_",
}
"""Layers whose services have metrics of other meanings, and how those begin (OAP's ebpf.oal, browser.oal, ...)."""
_SCOPES = {Scope.SERVICE: _SERVICE, Scope.INSTANCE: _INSTANCE, Scope.ENDPOINT: _ENDPOINT}
_SOURCES = {Scope.SERVICE: "Service", Scope.INSTANCE: "ServiceInstance", Scope.ENDPOINT: "Endpoint"}
_OAL_EXAMPLES = {
    "percentile": "{prefix}_percentile = from({source}.latency).percentile2(10);",  # percentile(10) before 10.0
    "apdex": "{prefix}_apdex = from({source}.latency).apdex({service}, status);",
    "success-rate": "{prefix}_sla = from({source}.*).percent(status == true);",
    "latency": "{prefix}_resp_time = from({source}.latency).longAvg();",
    "calls": "{prefix}_cpm = from({source}.*).cpm();",
}
_PREFIXES = {Scope.SERVICE: "service", Scope.INSTANCE: "service_instance", Scope.ENDPOINT: "endpoint"}


def resolve_scope_metrics(entities: EntitySet, known: Collection[str] = ()) -> ScopeMetrics:
    """The metrics of the entities' scope and layer.

    Args:
        entities: Whom they are asked of.
        known: The metrics of the OAP, for the error.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, where services of the layer have metrics of other meanings.
    """
    layers = set(entities.layers)
    if layers and layers <= _LAYER_PREFIXES.keys():
        layer = min(layers)
        raise ProviderError(
            Reason.METRIC_UNAVAILABLE,
            f"services of the layer {layer} have no calls, success rate and latency under the usual names",
            f"write an expression with {_list_examples(_LAYER_PREFIXES[layer], known)}",
        )
    if entities.scope is Scope.SERVICE and len(layers) == 1 and layers <= _VIRTUAL_TARGETS.keys():
        return _VIRTUAL_TARGETS[min(layers)]
    return _SCOPES[entities.scope]


def _list_examples(prefix: str, known: Collection[str]) -> str:
    names = sorted(name for name in known if name.startswith(prefix))
    return (
        f"one of {', '.join(names[:_MAX_NAMES])}{', …' if len(names) > _MAX_NAMES else ''}" if names else f"{prefix}*"
    )


def calls_metric(entities: EntitySet) -> str:
    """The metric that counts calls a minute. Raises as `names_of`."""
    return resolve_scope_metrics(entities).calls[0]


def available_metric(meaning: str, candidates: tuple[str, ...], known: Collection[str], entities: EntitySet) -> str:
    """The metric of a meaning that the OAP has.

    Args:
        meaning: percentile, apdex, success-rate, latency or calls.
        candidates: Its names.
        known: The metrics of the OAP.
        entities: Whom it is asked of.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, with the recipe to have it.
    """
    found = [name for name in candidates if name in known]
    if found:
        return found[0]
    prefix, source = _PREFIXES[entities.scope], _SOURCES[entities.scope]
    service = "name" if entities.scope is Scope.SERVICE else "serviceName"  # whose threshold counts
    recipe = _OAL_EXAMPLES[meaning].format(prefix=prefix, source=source, service=service)
    own = recipe.split(" = ")[0]
    if not candidates and own in known:  # an administrator followed the recipe
        return own
    hint = f"; {did_you_mean(candidates[0], known)}" if candidates else ""
    raise ProviderError(
        Reason.METRIC_UNAVAILABLE,
        f"OAP has no {meaning} at the scope {entities.scope.value}{hint}",
        f"{_OAL_HINT} `{recipe}`, or ask for another indicator or entity",
    )
