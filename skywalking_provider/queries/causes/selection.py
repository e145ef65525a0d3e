"""Selection of the services whose endpoints can explain the verdict of an indicator. No request is sent."""

from skywalking_provider.block import EntityKeys, IndicatorName
from skywalking_provider.errors import ProviderError
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import InventoryService
from skywalking_provider.queries.causes.target import CONTRIBUTIONS, CauseTarget
from skywalking_provider.queries.entities import find_service, resolve_service_name


def select_target(
    indicator: IndicatorName,
    canary: EntityKeys,
    stable: EntityKeys | None,
    backend: Backend,
    *,
    averages: bool,
) -> CauseTarget | None:
    """Return the services to compare; None if endpoints cannot explain the indicator.

    Args:
        indicator: Indicator of the block.
        canary: Selection of the canary.
        stable: Selection of stable; None without one.
        backend: Backend whose known services are searched.
        averages: Whether the result of the block is an average over calls.
    """
    if indicator not in CONTRIBUTIONS or canary.endpoint is not None:
        return None
    service = _find(canary, backend)
    if service is None or not service.normal:  # a target without an agent has no endpoints
        return None
    other = None if stable is None or stable.endpoint is not None else _find(stable, backend)
    if other is not None and other.id == service.id:
        other = None
    return CauseTarget(indicator, service, other, service_wide=canary.instances is not None, averages=averages)


def _find(keys: EntityKeys, backend: Backend) -> InventoryService | None:
    try:
        name = resolve_service_name(keys, backend.connection.config.service_name)
        return find_service(name, keys.layer, backend.connection.known_services, _suggest_nothing)
    except ProviderError:
        return None


def _suggest_nothing(*_: object) -> str:
    return ""
