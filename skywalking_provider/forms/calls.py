"""Which metric of OAP means what, by scope and layer. Source: OAP's core.oal."""

from collections.abc import Collection
from dataclasses import dataclass

from skywalking_provider.entities import nearest
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entities, Scope

_SHOWN = 8
_RECIPE = "add it to the OAP's OAL, for example"


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics of one scope; several where versions differ, none where OAP has no such metric."""

    calls: tuple[str, ...]
    success_rate: tuple[str, ...]
    latency: tuple[str, ...]
    percentile: tuple[str, ...] = ()
    apdex: tuple[str, ...] = ()


_SERVICE = Names(
    calls=("service_cpm",),
    success_rate=("service_sla",),
    latency=("service_resp_time",),
    percentile=("service_percentile",),
    apdex=("service_apdex",),
)
_INSTANCE = Names(
    calls=("service_instance_cpm",),
    success_rate=("service_instance_sla",),
    latency=("service_instance_resp_time",),
)
_ENDPOINT = Names(
    calls=("endpoint_cpm",),
    success_rate=("endpoint_sla",),
    latency=("endpoint_resp_time", "endpoint_avg"),  # the older name: up to 9.1
    percentile=("endpoint_percentile",),
)


def _accessed(what: str) -> Names:
    """What agents only call: its metrics come from their side."""
    return Names(
        calls=(f"{what}_access_cpm",),
        success_rate=(f"{what}_access_sla",),
        latency=(f"{what}_access_resp_time",),
        percentile=(f"{what}_access_percentile",),
    )


_ACCESSED = {"VIRTUAL_DATABASE": _accessed("database"), "VIRTUAL_CACHE": _accessed("cache")}
_OTHERS = {
    "BROWSER": "browser_app_",
    "K8S_SERVICE": "kubernetes_service_",
    "VIRTUAL_GENAI": "gen_ai_",
    "VIRTUAL_MQ": "mq_service_",
}
"""Layers whose services have metrics of other meanings, and how those begin (OAP's ebpf.oal, browser.oal, ...)."""
_SCOPES = {Scope.SERVICE: _SERVICE, Scope.INSTANCE: _INSTANCE, Scope.ENDPOINT: _ENDPOINT}
_SOURCES = {Scope.SERVICE: "Service", Scope.INSTANCE: "ServiceInstance", Scope.ENDPOINT: "Endpoint"}
_RECIPES = {
    "percentile": "{prefix}_percentile = from({source}.latency).percentile2(10);",  # percentile(10) before 10.0
    "apdex": "{prefix}_apdex = from({source}.latency).apdex({service}, status);",
    "success-rate": "{prefix}_sla = from({source}.*).percent(status == true);",
    "latency": "{prefix}_resp_time = from({source}.latency).longAvg();",
    "calls": "{prefix}_cpm = from({source}.*).cpm();",
}
_PREFIXES = {Scope.SERVICE: "service", Scope.INSTANCE: "service_instance", Scope.ENDPOINT: "endpoint"}


def names_of(entities: Entities, known: Collection[str] = ()) -> Names:
    """The metrics of the entities' scope and layer.

    Args:
        entities: Whom they are asked of.
        known: The metrics of the OAP, for the error.

    Raises:
        ProviderError: METRIC_UNAVAILABLE, where services of the layer have metrics of other meanings.
    """
    layers = set(entities.layers)
    if layers and layers <= _OTHERS.keys():
        layer = min(layers)
        raise ProviderError(
            Reason.METRIC_UNAVAILABLE,
            f"services of the layer {layer} have no calls, success rate and latency under the usual names",
            f"write an expression with {_some_of(_OTHERS[layer], known)}",
        )
    if entities.scope is Scope.SERVICE and len(layers) == 1 and layers <= _ACCESSED.keys():
        return _ACCESSED[min(layers)]
    return _SCOPES[entities.scope]


def _some_of(prefix: str, known: Collection[str]) -> str:
    names = sorted(name for name in known if name.startswith(prefix))
    return f"one of {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}" if names else f"{prefix}*"


def calls_metric(entities: Entities) -> str:
    """The metric that counts calls a minute. Raises as `names_of`."""
    return names_of(entities).calls[0]


def choose(meaning: str, candidates: tuple[str, ...], known: Collection[str], entities: Entities) -> str:
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
    recipe = _RECIPES[meaning].format(prefix=prefix, source=source, service=service)
    own = recipe.split(" = ")[0]
    if not candidates and own in known:  # an administrator followed the recipe
        return own
    hint = f"; {nearest(candidates[0], known)}" if candidates else ""
    raise ProviderError(
        Reason.METRIC_UNAVAILABLE,
        f"OAP has no {meaning} at the scope {entities.scope.value}{hint}",
        f"{_RECIPE} `{recipe}`, or ask for another indicator or entity",
    )
