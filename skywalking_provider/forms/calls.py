"""Which metric of OAP means what, by scope and layer. Source: OAP's core.oal."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from skywalking_provider.entities import nearest
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entities, Scope

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
_DATABASE = replace(
    _SERVICE,
    calls=("database_access_cpm",),
    success_rate=("database_access_sla",),
    latency=("database_access_resp_time",),
    percentile=("database_access_percentile",),
    apdex=(),
)
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


def names_of(entities: Entities) -> Names:
    """The metrics of the entities' scope and layer."""
    if entities.scope is Scope.SERVICE and entities.layers == ("VIRTUAL_DATABASE",):
        return _DATABASE
    return _SCOPES[entities.scope]


def calls_metric(entities: Entities) -> str:
    """The metric that counts calls a minute."""
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
