"""From a spec to a sample: when, of whom, what, and what came back. The backend does the I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skywalking_provider.entities import find_endpoint, find_service, select_instances, wanted_service
from skywalking_provider.errors import NotYetKnown, ProviderError, Reason
from skywalking_provider.forms import expression, graphql, sli
from skywalking_provider.forms.sample import Sample
from skywalking_provider.forms.suspects import check_known
from skywalking_provider.model import Deadline, Entities, Entity, Run, Scope, Window
from skywalking_provider.oap import Backend
from skywalking_provider.plan import Read, argo_window, closed_window, next_bucket, readable_at
from skywalking_provider.spec import EntitySpec, ExpressionSpec, GraphqlSpec, SliSpec, Spec


@dataclass(frozen=True, slots=True)
class Frame:
    """The time of one question.

    Attributes:
        window: What is read, in the OAP's zone; empty where no bucket of the run has closed yet.
        next_bucket: When the same question can have another answer, on our clock.
        waits_from: From when waiting for data is counted, on our clock: before, no bucket could be there.
    """

    window: Window
    next_bucket: datetime
    waits_from: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """A sample, and whom it is of.

    Attributes:
        sample: What was read.
        of: For messages: "3 instances of 6c85f7bf4"; empty where the block says it all.
        reads: The requests, for those who show them.
    """

    sample: Sample
    of: str = ""
    reads: tuple[Read, ...] = ()


async def frame_of(
    spec: Spec, backend: Backend, run: Run, started_at: datetime, now: datetime, deadline: Deadline
) -> Frame:
    """Find the window of a measurement.

    Args:
        spec: The block.
        backend: Whose clock and zone count.
        run: Its start cuts the window, where the spec says so.
        started_at: When the measurement began, on our clock.
        now: Our clock.
        deadline: Until when.
    """
    if isinstance(spec, GraphqlSpec) and spec.compatibility:
        # The built-in provider knows neither OAP's clock nor its zone.
        return Frame(argo_window(spec.interval, now.astimezone()), now + timedelta(minutes=1), started_at)
    time = await backend.time(deadline)
    settle = backend.config.settle if spec.settle is None else spec.settle
    length = spec.interval if isinstance(spec, GraphqlSpec) else spec.window
    from_run = isinstance(spec, EntitySpec) and spec.from_run
    since = (run.started_at or run.created_at) if from_run else None
    not_before = time.at(min(since, now)) if since else None
    window = closed_window(length, settle, time.at(started_at), time.at(now), not_before)
    first = time.ours(readable_at(not_before, settle)) if not_before else started_at
    return Frame(
        window, time.ours(next_bucket(settle, time.at(now))).astimezone(UTC), max(started_at, first.astimezone(UTC))
    )


async def answer_of(spec: Spec, backend: Backend, frame: Frame, deadline: Deadline) -> Answered:
    """Read what a spec asks for.

    Raises:
        BackendAway: Nothing usable came in time.
        NotYetKnown: OAP does not know the entity, yet.
        ProviderError: It never will be right.
    """
    match spec:
        case GraphqlSpec():
            return await _answer_graphql(spec, backend, frame.window, deadline)
        case ExpressionSpec():
            return await _answer_expression(spec, backend, frame.window, deadline)
        case SliSpec():
            return await _answer_sli(spec, backend, frame.window, deadline)


async def _answer_graphql(spec: GraphqlSpec, backend: Backend, window: Window, deadline: Deadline) -> Answered:
    nullable = spec.compatibility is None and (await backend.dialect(deadline)).nullable
    query = graphql.healed(spec, nullable=nullable)
    read = graphql.read_of(query, window)
    sample = graphql.sample_of(spec, query, await backend.read(read, deadline))
    for name, metric in graphql.only_zeros(query, sample):
        check_known(name, metric, await backend.metrics(deadline))
    return Answered(sample, reads=(read,))


async def _answer_expression(spec: ExpressionSpec, backend: Backend, window: Window, deadline: Deadline) -> Answered:
    if not (await backend.dialect(deadline)).mqe:
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"expression: the OAP of backend {backend.name} has no metrics query expressions (they came with 9.5)",
            "write a query or an sli",
        )
    entities = await _entities(spec, backend, window, deadline)
    if spec.scope is not Scope.SERVICE:
        expression.check_scope(spec.expression, spec.scope, await backend.metrics(deadline))
    wanted = expression.wanted_by(spec, entities)
    found = await backend.series(wanted, window, deadline, mqe=True)
    try:
        return Answered(expression.sample_of(spec, entities, found.data), _of(entities), found.reads)
    except ProviderError as error:
        raise await _explained(error, spec, backend, deadline) from error


async def _answer_sli(spec: SliSpec, backend: Backend, window: Window, deadline: Deadline) -> Answered:
    mqe = (await backend.dialect(deadline)).mqe
    entities = await _entities(spec, backend, window, deadline)
    metrics = sli.metrics_of(spec, entities, await backend.metrics(deadline))
    found = await backend.series(sli.wanted_by(metrics, entities), window, deadline, mqe=mqe)
    return Answered(sli.sample_of(spec, metrics, entities, window, found.data, mqe=mqe), _of(entities), found.reads)


async def _entities(spec: EntitySpec, backend: Backend, window: Window, deadline: Deadline) -> Entities:
    name = wanted_service(spec, backend.config.service_name)
    try:
        service = find_service(name, spec.layer, await backend.services(deadline))
    except NotYetKnown:  # it may be new
        service = find_service(name, spec.layer, await backend.services(deadline, fresh=True))
    if spec.endpoint is not None:
        known = await backend.endpoints(service, spec.endpoint, deadline)
        others = () if spec.endpoint in known else await backend.endpoints(service, "", deadline)
        endpoint = find_endpoint(spec.endpoint, service.name, known, others)
        return Entities((Entity(service.name, service.normal, endpoint=endpoint),), service.layers)
    if spec.instances is None:
        return Entities((Entity(service.name, service.normal),), service.layers)
    names = select_instances(spec.instances, service.name, await backend.instances(service, window, deadline))
    instances = tuple(Entity(service.name, service.normal, instance=one) for one in names)
    return Entities(instances, service.layers, spec.instances.told)


def _of(entities: Entities) -> str:
    if not entities.selector:
        return ""
    count = len(entities.all)
    return f"{count} instance{'s' if count > 1 else ''} of {entities.selector}"


async def _explained(error: ProviderError, spec: ExpressionSpec, backend: Backend, deadline: Deadline) -> ProviderError:
    """OAP's own words, and what its list of metrics says about the names in the expression."""
    if error.reason is not Reason.QUERY_INVALID:
        return error
    metrics = await backend.metrics(deadline)
    if "not exist" in error.what:  # 9.6 writes "dose not exist"
        return ProviderError(error.reason, error.what, expression.nearest_metrics(spec.expression, metrics))
    try:
        expression.check_scope(spec.expression, spec.scope, metrics)
    except ProviderError as better:
        return better
    return error
