"""From a spec to a sample: when, of whom, what, and what came back. The backend does the I/O."""

from dataclasses import dataclass

from skywalking_provider.block import EntitySpec, ExpressionSpec, GraphqlSpec, IndicatorSpec, Spec
from skywalking_provider.errors import EntityNotFoundError, ProviderError, Reason, RejectionKind
from skywalking_provider.model import Deadline, Entity, EntitySet, Scope, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.request import GraphqlRequest
from skywalking_provider.queries import expression
from skywalking_provider.queries.diagnosis import require_known_metric
from skywalking_provider.queries.entities import (
    find_endpoint,
    find_service,
    resolve_service_name,
    select_instances,
)
from skywalking_provider.queries.graphql import query as graphql
from skywalking_provider.queries.indicators import query as sli
from skywalking_provider.queries.sample import Sample


@dataclass(frozen=True, slots=True)
class CollectedSample:
    """A sample, and whom it is of.

    Attributes:
        sample: What was read.
        subject: For messages: "3 instances of 6c85f7bf4"; empty where the block says it all.
        requests: The requests, for those who show them.
    """

    sample: Sample
    subject: str = ""
    requests: tuple[GraphqlRequest, ...] = ()


async def collect_sample(spec: Spec, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
    """Read what a spec asks for.

    Raises:
        BackendAway: Nothing usable came in time.
        NotYetKnown: OAP does not know the entity, yet.
        ProviderError: It never will be right.
    """
    match spec:
        case GraphqlSpec():
            return await _collect_graphql(spec, backend, window, deadline)
        case ExpressionSpec():
            return await _collect_expression(spec, backend, window, deadline)
        case IndicatorSpec():
            return await _collect_indicator(spec, backend, window, deadline)


async def _collect_graphql(spec: GraphqlSpec, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
    nullable = spec.compatibility is None and (await backend.features(deadline)).supports_nullable
    query = graphql.rewritten_query(spec, nullable=nullable)
    read = graphql.build_graphql_request(query, window)
    sample = graphql.decode_graphql(spec, query, await backend.read(read, deadline))
    for name, metric in graphql.all_zero_reads(query, sample):
        require_known_metric(name, metric, await backend.metrics(deadline))
    return CollectedSample(sample, requests=(read,))


async def _collect_expression(
    spec: ExpressionSpec, backend: Backend, window: Window, deadline: Deadline
) -> CollectedSample:
    if not (await backend.features(deadline)).supports_mqe:
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"expression: the OAP of backend {backend.name} has no metrics query expressions (they came with 9.5)",
            "write a query or an sli",
        )
    entities = await resolve_entities(spec, backend, window, deadline)
    if spec.scope is not Scope.SERVICE:
        expression.check_scope(spec.expression, spec.scope, await backend.metrics(deadline))
    wanted = expression.build_expression_requests(spec, entities)
    found = await backend.series(wanted, window, deadline, mqe=True)
    try:
        return CollectedSample(
            expression.decode_expression(spec, entities, found.data), _describe_subject(entities), found.requests
        )
    except ProviderError as error:
        raise await _diagnose_query_error(error, spec, backend, deadline) from error


async def _collect_indicator(
    spec: IndicatorSpec, backend: Backend, window: Window, deadline: Deadline
) -> CollectedSample:
    mqe = (await backend.features(deadline)).supports_mqe
    entities = await resolve_entities(spec, backend, window, deadline)
    metrics = sli.select_indicator_metrics(spec, entities, await backend.metrics(deadline))
    found = await backend.series(sli.build_indicator_requests(metrics, entities), window, deadline, mqe=mqe)
    return CollectedSample(
        sli.decode_indicator(spec, metrics, entities, window, found.data, mqe=mqe),
        _describe_subject(entities),
        found.requests,
    )


async def resolve_entities(spec: EntitySpec, backend: Backend, window: Window, deadline: Deadline) -> EntitySet:
    name = resolve_service_name(spec, backend.config.service_name)
    try:
        service = find_service(name, spec.layer, await backend.services(deadline))
    except EntityNotFoundError:  # it may be new
        service = find_service(name, spec.layer, await backend.services(deadline, fresh=True))
    if spec.endpoint is not None:
        known = await backend.endpoints(service, spec.endpoint, deadline)
        others = () if spec.endpoint in known else await backend.endpoints(service, "", deadline)
        endpoint = find_endpoint(spec.endpoint, service.name, known, others)
        return EntitySet((Entity(service.name, service.normal, endpoint=endpoint),), service.layers)
    if spec.instances is None:
        return EntitySet((Entity(service.name, service.normal),), service.layers)
    names = select_instances(spec.instances, service.name, await backend.instances(service, window, deadline))
    instances = tuple(Entity(service.name, service.normal, instance=one) for one in names)
    return EntitySet(instances, service.layers, spec.instances.display)


def _describe_subject(entities: EntitySet) -> str:
    if not entities.selector:
        return ""
    count = len(entities.members)
    return f"{count} instance{'s' if count > 1 else ''} of {entities.selector}"


async def _diagnose_query_error(
    error: ProviderError, spec: ExpressionSpec, backend: Backend, deadline: Deadline
) -> ProviderError:
    """OAP's own words, and what its list of metrics says about the names in the expression."""
    if error.reason is not Reason.QUERY_INVALID:
        return error
    metrics = await backend.metrics(deadline)
    if error.rejection and error.rejection.kind is RejectionKind.METRIC_NOT_FOUND:
        return ProviderError(error.reason, error.message, expression.suggest_metrics(spec.expression, metrics))
    try:
        expression.check_scope(spec.expression, spec.scope, metrics)
    except ProviderError as better:
        return better
    return error
