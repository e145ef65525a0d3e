"""What `GetMetadata` tells of a metric, by its text alone: Argo asks once, early, and shows it in the run's status."""

from skywalking_provider.entities import wanted_service
from skywalking_provider.forms import graphql
from skywalking_provider.forms.calls import names_of
from skywalking_provider.model import Entities, Entity
from skywalking_provider.oap import Backend
from skywalking_provider.spec import EntitySpec, ExpressionSpec, GraphqlSpec, Sli, SliSpec, Spec
from skywalking_provider.spec.duration import format_duration


def metadata_of(spec: Spec, backend: Backend | None) -> dict[str, str]:
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
            dialect = backend.known_dialect if backend else None
            query = graphql.healed(spec, nullable=dialect is None or dialect.nullable)
            closed = "" if spec.compatibility is None else " up to now, the unfinished minute included"
            return facts | {
                "ResolvedSkyWalkingQuery": query.text,
                "window": f"{format_duration(spec.interval)}{closed}",
            }
        case ExpressionSpec():
            return facts | {"ResolvedSkyWalkingExpression": spec.expression} | _entity(spec, backend)
        case SliSpec():
            return facts | {"sli": spec.sli.value, "metrics": _metrics(spec, backend)} | _entity(spec, backend)


def _entity(spec: EntitySpec, backend: Backend | None) -> dict[str, str]:
    facts = {"service": _service(spec, backend), "window": format_duration(spec.window)}
    if spec.layer:
        facts["layer"] = spec.layer
    if spec.endpoint:
        facts["endpoint"] = spec.endpoint
    if spec.instances:
        facts["instances"] = spec.instances.told
    if spec.from_run:
        facts["since"] = "run"
    return facts


def _service(spec: EntitySpec, backend: Backend | None) -> str:
    if backend:
        return wanted_service(spec, backend.config.service_name)
    if isinstance(spec.service, str):
        return spec.service
    return ", ".join(f"{part} {name}" for part, name in spec.service.model_dump(exclude_none=True).items())


def _metrics(spec: SliSpec, backend: Backend | None) -> str:
    """The metrics that are read of an OAP with the usual ones; the first name where versions differ."""
    service = _service(spec, backend)
    instance = spec.instances.told if spec.instances else None
    layers = (spec.layer,) if spec.layer else ()
    names = names_of(Entities((Entity(service, instance=instance, endpoint=spec.endpoint),), layers))
    by_sli = {
        Sli.SUCCESS_RATE: names.success_rate,
        Sli.APDEX: names.apdex,
        Sli.LATENCY: names.percentile if spec.percentile else names.latency,
        Sli.THROUGHPUT: (),
    }
    return ", ".join((*by_sli[spec.sli][:1], names.calls[0]))
