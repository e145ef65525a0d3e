"""Diagnosis of missing data: OAP returns empty series for much that it does not understand.

The fetching of OAP's lists of metrics and services is separate from the decisions, which are pure.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from graphql import FieldNode, ObjectValueNode, StringValueNode, ValueNode, value_from_ast_untyped

from skywalking_provider.block.expression_syntax import extract_metric_names, ranked_metrics, ranking_function
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError, Reason, RejectionKind
from skywalking_provider.model import Deadline, Scope
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.inventory import ServiceInventory
from skywalking_provider.queries.base import Diagnosis, DiagnosisKind
from skywalking_provider.queries.functions import suggest_functions, suggest_operators
from skywalking_provider.queries.graphql.metric_read import MetricRead, RewrittenQuery
from skywalking_provider.queries.graphql.rewrite import response_name, top_level_fields
from skywalking_provider.queries.series import Series
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.suggester import Suggest
from skywalking_provider.support.suggestions import did_you_mean

T = TypeVar("T")

CATALOGS: Final = {Scope.SERVICE: "SERVICE", Scope.INSTANCE: "SERVICE_INSTANCE", Scope.ENDPOINT: "ENDPOINT"}
"""OAP's older names of the scopes, as `listMetrics` returns them."""
_MAX_HINTS: Final = 3  # of one expression, which may have a thousand unknown names
_REQUIRED_ENTITY_FIELDS: Final = {
    CATALOGS[Scope.INSTANCE]: "serviceInstanceName",
    CATALOGS[Scope.ENDPOINT]: "endpointName",
}


@dataclass(frozen=True, slots=True)
class EmptyRead:
    """A read of the author's query without any value, as far as its arguments are literals.

    Attributes:
        name: Response name.
        metrics: Names of the metrics. For an expression all names in it, also those of functions' arguments. Empty
            for a ranking, which covers all instances or endpoints of its entity.
        expression: Whether the read is an expression. OAP itself rejects unknown metrics there.
        ranked: Names of the metrics that an expression ranks.
        entity: Literal fields of the entity; empty if the entity is a variable.
        zero_means_absent: Whether the read has percentiles of an OAP that writes 0 for absent ones.
    """

    name: str
    metrics: tuple[str, ...] = ()
    expression: bool = False
    ranked: tuple[str, ...] = ()
    entity: Mapping[str, object] = field(default_factory=dict)
    zero_means_absent: bool = False


async def diagnose_empty_reads(reads: Sequence[EmptyRead], backend: Backend, deadline: Deadline) -> Diagnosis:
    """Return the first likely cause among the empty reads of a query.

    Raises:
        ProviderError: QUERY_INVALID, if the cause is permanent.
    """
    metrics = await fetch_or_default(backend.connection.metrics(deadline), {})
    services = await fetch_or_default(backend.connection.services(deadline), ServiceInventory())
    for read in reads:
        diagnosis = likely_cause(read, metrics, services, backend.connection.suggest)
        if diagnosis.kind is not DiagnosisKind.UNKNOWN:
            return diagnosis
    return Diagnosis()


async def diagnose_rejected_expression(
    error: ProviderError, expression: str, scope: Scope, backend: Backend, deadline: Deadline
) -> ProviderError:
    """Return OAP's error for an expression with a hint from its list of metrics, or a more precise error."""
    if error.reason is not Reason.QUERY_INVALID:
        return error
    if (hinted := add_operator_hint(error, expression)) is not error:
        return hinted
    metrics = await backend.connection.metrics(deadline)
    if error.rejection and error.rejection.kind is RejectionKind.METRIC_NOT_FOUND:
        return _add_name_hints(error, expression, metrics, backend)
    try:
        check_scope(expression, scope, metrics, backend.connection.suggest)
    except ProviderError as scope_error:
        return scope_error
    return error


async def diagnose_rejected_query(
    error: ProviderError, expressions: Collection[str], backend: Backend, deadline: Deadline
) -> ProviderError:
    """Return the error of an expression inside a query with the hints that a block with `expression` gets."""
    if error.rejection is None or error.rejection.kind is not RejectionKind.METRIC_NOT_FOUND:
        return add_operator_hint(error, ", ".join(expressions))
    metrics = await fetch_or_default(backend.connection.metrics(deadline), {})
    return _add_name_hints(error, ", ".join(expressions), metrics, backend)


def add_operator_hint(error: ProviderError, expression: str) -> ProviderError:
    """Return the error with a hint if the OAP does not know an operator of the expression; else the error itself."""
    hint = suggest_operators(expression, error.message) if error.reason is Reason.QUERY_INVALID else ""
    return ProviderError(error.reason, error.message, hint) if hint else error


def _add_name_hints(
    error: ProviderError, expression: str, metrics: Mapping[str, str], backend: Backend
) -> ProviderError:
    """Return the error for an unknown metric with a hint. OAP takes unknown functions for metrics, too."""
    hint = suggest_functions(expression, error.message, metrics)
    return ProviderError(
        error.reason, error.message, hint or suggest_metrics(expression, metrics, backend.connection.suggest)
    )


async def fetch_or_default(request: Awaitable[T], default: T) -> T:
    """Return a list of the OAP's, or the default if the OAP does not return it.

    A diagnosis needs these lists, the measurement does not: its own requests succeeded.
    """
    try:
        return await request
    except ProviderError:
        return default


def empty_reads(text: str, query: RewrittenQuery, empty_series: Sequence[Series]) -> list[EmptyRead]:
    """Return the reads of a query whose series are empty.

    Args:
        text: Query as its author wrote it.
        query: Query as it was sent.
        empty_series: Series without any value.
    """
    written = {response_name(read): read for read in top_level_fields(parse_query(text))}
    reads = {**query.reads, **query.expressions}
    names = dict.fromkeys(series.read_name for series in empty_series)
    return [_build_empty_read(written[name], reads[name]) for name in names if name in reads]


def likely_cause(
    empty_read: EmptyRead,
    metrics: Mapping[str, str],
    services: ServiceInventory,
    suggest: Suggest = did_you_mean,
) -> Diagnosis:
    """Return the likely cause of an empty read.

    Args:
        empty_read: Read without any value.
        metrics: Metrics of the OAP with their catalogs.
        services: Services of the OAP.
        suggest: Function for the hint about an unknown name.

    Raises:
        ProviderError: QUERY_INVALID, if the cause is permanent.
    """
    name, entity = empty_read.name, empty_read.entity
    if "serviceName" in entity and "normal" not in entity and entity.get("scope") != "All":
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"{name}: entity lacks `normal`, so OAP finds no entity",
            "set normal: true (false for uninstrumented targets such as databases)",
        )
    for metric in empty_read.metrics:
        if not empty_read.expression:
            require_known_metric(name, metric, metrics, suggest)
        part = _REQUIRED_ENTITY_FIELDS.get(metrics.get(metric, ""))
        if part and entity and part not in entity:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{name}: entity lacks `{part}`, which {metric} needs (scope {metrics[metric]})",
                f"set {part}, or read a metric of the service",
            )
    if "serviceName" in entity:
        check_ranking(name, empty_read.ranked, metrics)
    cause = _service_cause(name, entity, services, suggest)
    if cause.kind is DiagnosisKind.UNKNOWN and empty_read.zero_means_absent:
        text = f"{name}: OAP before 9.5 writes 0 for percentiles below 10 ms and for absent ones, so 0 is not judged"
        return Diagnosis(DiagnosisKind.ZERO_PERCENTILES, (name,), text)
    return cause


def require_known_metric(name: str, metric: str, known: Collection[str], suggest: Suggest = did_you_mean) -> None:
    """Check that an OAP has the metric of a V2 read. For an unknown one it returns no values, or zeros before 9.5.

    Raises:
        ProviderError: QUERY_INVALID, with similar names.
    """
    if known and metric not in known:
        raise ProviderError(
            Reason.QUERY_INVALID, f"{name}: OAP has no metric {metric!r}", suggest(metric, known, "metrics")
        )


def suggest_metrics(expression: str, known: Collection[str], suggest: Suggest = did_you_mean) -> str:
    """Return a hint for each of the first unknown names in an expression that look like a metric's."""
    unknown = (name for name in extract_metric_names(expression) if name not in known and "_" in name)
    names = list(dict.fromkeys(unknown))
    hints = [suggest(name, known, "metrics") for name in names[:_MAX_HINTS]]
    if len(names) > _MAX_HINTS:
        hints.append(f"{format_count(len(names) - _MAX_HINTS, 'more name is', 'more names are')} unknown.")
    return " ".join(dict.fromkeys(hints))


def check_scope(expression: str, scope: Scope, known: Mapping[str, str], suggest: Suggest = did_you_mean) -> None:
    """Check that an expression has a metric of the selected scope.

    Without one, OAP computes the result of the whole service for every instance or endpoint. A metric of the service
    beside one of the scope is valid: `service_instance_cpm / service_cpm` is a share. So is a ranking, which covers
    the service's instances: `top_n(service_instance_cpm, 3, des)`.

    Args:
        expression: Expression of the block.
        scope: Scope of the selected entities.
        known: Metrics of the OAP with their catalogs.
        suggest: Function for the hint.

    Raises:
        ProviderError: QUERY_INVALID.
    """
    catalogs = {name: known[name] for name in extract_metric_names(expression) if known.get(name)}
    if not catalogs or CATALOGS[scope] in catalogs.values() or ranking_function(expression):
        return
    name, catalog = next(iter(catalogs.items()))
    same_scope = {metric: other for metric, other in known.items() if other == CATALOGS[scope]}
    raise ProviderError(
        Reason.QUERY_INVALID,
        f"{expression}: {name} has the scope {catalog}, but the block selects {CATALOGS[scope]}",
        suggest(name, same_scope, "metrics"),
    )


def check_ranking(name: str, ranked: Collection[str], known: Mapping[str, str]) -> None:
    """Check that a ranking below one service is not one of services: it is always empty.

    Args:
        name: The expression, or the response name of the read.
        ranked: Metrics that are ranked.
        known: Metrics of the OAP with their catalogs.

    Raises:
        ProviderError: QUERY_INVALID.
    """
    for metric in ranked:
        if known.get(metric) == CATALOGS[Scope.SERVICE]:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{name}: top_n ranks services by {metric}, and there are none below one service",
                "rank its instances or endpoints (top_n(service_instance_cpm, 3, des)), or read the metric itself",
            )


def _service_cause(name: str, entity: Mapping[str, object], services: ServiceInventory, suggest: Suggest) -> Diagnosis:
    service = entity.get("serviceName")
    if not services or not isinstance(service, str):
        return Diagnosis()
    same_name = services.by_name.get(service, ())
    if any(one.normal == entity.get("normal") for one in same_name):
        return Diagnosis()
    if same_name:
        normal = str(same_name[0].normal).lower()
        return Diagnosis(DiagnosisKind.WRONG_NORMAL, (name,), f"{name}: OAP knows {service!r} with normal: {normal}")
    hint = suggest(service, services.by_name, "services")
    return Diagnosis(DiagnosisKind.SERVICE_NOT_FOUND, (name,), f"{name}: OAP does not know service {service!r}. {hint}")


def _build_empty_read(read: FieldNode, metric_read: MetricRead) -> EmptyRead:
    arguments = {argument.name.value: argument.value for argument in read.arguments or ()}
    expression = arguments.get("expression")
    condition = _object_fields(arguments.get("condition"))
    entity = _object_fields(arguments.get("entity") or condition.get("entity"))
    return EmptyRead(
        response_name(read),
        (metric_read.metric,) if metric_read.metric else _expression_metrics(expression),
        expression is not None,
        tuple(ranked_metrics(expression.value)) if isinstance(expression, StringValueNode) else (),
        {key: value_from_ast_untyped(value) for key, value in entity.items()},
        zero_means_absent=metric_read.labeled and metric_read.calls_alias is not None,
    )


def _expression_metrics(expression: ValueNode | None) -> tuple[str, ...]:
    text = expression.value if isinstance(expression, StringValueNode) else ""
    return () if ranking_function(text) else tuple(extract_metric_names(text))


def _object_fields(node: ValueNode | None) -> dict[str, ValueNode]:
    return {part.name.value: part.value for part in node.fields} if isinstance(node, ObjectValueNode) else {}
