"""What `GetMetadata` tells of a metric, by its text alone: Argo asks once, early, and shows it in the run's status."""

from skywalking_provider.block import (
    EntitySpec,
    ExpressionSpec,
    GraphqlSpec,
    IndicatorName,
    IndicatorSpec,
    Spec,
)
from skywalking_provider.model import Entity, EntitySet
from skywalking_provider.oap import Backend
from skywalking_provider.queries.entities import resolve_service_name
from skywalking_provider.queries.graphql import query as graphql
from skywalking_provider.queries.indicators.metric_names import resolve_scope_metrics
from skywalking_provider.support.durations import format_duration


def describe_query(spec: Spec, backend: Backend | None) -> dict[str, str]:
    """The resolved query, the selector as written, the window's length; no OAP is asked.

    Args:
        spec: The block.
        backend: None where it is not for everybody to know: its name, link and pattern are not told.

    Raises:
        ProviderError: The block cannot be measured.
    """
    facts = {"backend": backend.name} if backend else {}
    if backend and backend.config.ui:
        facts["ui"] = backend.config.ui
    match spec:
        case GraphqlSpec():
            dialect = backend.known_features if backend else None
            query = graphql.rewritten_query(spec, nullable=dialect is None or dialect.supports_nullable)
            closed = "" if spec.compatibility is None else " up to now, the unfinished minute included"
            return facts | {
                "ResolvedSkyWalkingQuery": query.text,
                "window": f"{format_duration(spec.interval)}{closed}",
            }
        case ExpressionSpec():
            return facts | {"ResolvedSkyWalkingExpression": spec.expression} | _describe_entity(spec, backend)
        case IndicatorSpec():
            return (
                facts
                | {"sli": spec.sli.value, "metrics": _describe_metrics(spec, backend)}
                | _describe_entity(spec, backend)
            )


def _describe_entity(spec: EntitySpec, backend: Backend | None) -> dict[str, str]:
    facts = {"service": _describe_service(spec, backend), "window": format_duration(spec.window)}
    if spec.layer:
        facts["layer"] = spec.layer
    if spec.endpoint:
        facts["endpoint"] = spec.endpoint
    if spec.instances:
        facts["instances"] = spec.instances.display
    if spec.starts_at_run:
        facts["since"] = "run"
    return facts


def _describe_service(spec: EntitySpec, backend: Backend | None) -> str:
    if backend:
        return resolve_service_name(spec, backend.config.service_name)
    if isinstance(spec.service, str):
        return spec.service
    return ", ".join(f"{part} {name}" for part, name in spec.service.model_dump(exclude_none=True).items())


def _describe_metrics(spec: IndicatorSpec, backend: Backend | None) -> str:
    """The metrics that are read of an OAP with the usual ones; the first name where versions differ."""
    service = _describe_service(spec, backend)
    instance = spec.instances.display if spec.instances else None
    layers = (spec.layer,) if spec.layer else ()
    names = resolve_scope_metrics(EntitySet((Entity(service, instance=instance, endpoint=spec.endpoint),), layers))
    by_sli = {
        IndicatorName.SUCCESS_RATE: names.success_rate,
        IndicatorName.APDEX: names.apdex,
        IndicatorName.LATENCY: names.percentile if spec.percentile else names.latency,
        IndicatorName.THROUGHPUT: (),
    }
    return ", ".join((*by_sli[spec.sli][:1], names.calls[0]))
