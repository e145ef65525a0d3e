"""What is likely wrong with a read of which nothing came: much that OAP does not understand is silence. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import FieldNode, ListValueNode, ObjectValueNode, StringValueNode, ValueNode, value_from_ast_untyped

from skywalking_provider.block.expression_syntax import extract_metric_names, ranking_function
from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.oap.api.inventory import ServiceInventory
from skywalking_provider.queries.graphql.rewrite import (
    MetricRead,
    RewrittenQuery,
    response_name,
    top_level_fields,
)
from skywalking_provider.queries.series import Series
from skywalking_provider.support.suggestions import did_you_mean

# What a metric of a catalog wants to be told of its entity.
_REQUIRED_ENTITY_FIELDS = {"SERVICE_INSTANCE": "serviceInstanceName", "ENDPOINT": "endpointName"}


@dataclass(frozen=True, slots=True)
class EmptyRead:
    """A silent read of an author's query, as far as it is written out.

    Attributes:
        name: Its response name.
        metrics: The one it reads; of an expression all names, labels and such among them; none of a ranking, which is
            of all instances or endpoints of its entity.
        expression: Whether it is one: OAP itself refuses a metric there that it does not know.
        entity: What it says of the entity; empty where that is not written out.
        labels: Those it asks for.
        series_count: How many series were answered.
    """

    name: str
    metrics: tuple[str, ...] = ()
    expression: bool = False
    entity: Mapping[str, object] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    series_count: int = 1


def empty_reads(text: str, query: RewrittenQuery, empty_series: Sequence[Series]) -> list[EmptyRead]:
    """The reads of a query that were silent.

    Args:
        text: As its author wrote it.
        query: As it was sent.
        empty_series: What came of them.
    """
    written = {response_name(read): read for read in top_level_fields(parse_query(text))}
    names = dict.fromkeys(series.name.split(" ")[0] for series in empty_series)
    buckets = {series.name: len(series.buckets) for series in empty_series}
    reads = {**query.reads, **query.expressions}
    return [
        _build_empty_read(written[name], reads[name], series_count=buckets.get(name, 1))
        for name in names
        if name in reads
    ]


def likely_cause(empty_read: EmptyRead, metrics: Mapping[str, str], services: ServiceInventory) -> str:
    """The likely cause of silence with its remedy; empty where none is known.

    Args:
        empty_read: The silent read.
        metrics: The metrics of the OAP with their catalogs.
        services: Its services.

    Raises:
        ProviderError: QUERY_INVALID, where waiting cannot help.
    """
    name, entity = empty_read.name, empty_read.entity
    if "serviceName" in entity and "normal" not in entity and entity.get("scope") != "All":
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"{name}: its entity says nothing of `normal`, and so is none for OAP",
            "write normal: true (false for what agents only call, such as a database)",
        )
    for metric in empty_read.metrics:
        if not empty_read.expression:
            require_known_metric(name, metric, metrics)
        part = _REQUIRED_ENTITY_FIELDS.get(metrics.get(metric, ""))
        if part and entity and part not in entity:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{name}: {metric} is a metric of the scope {metrics[metric]}",
                f"its entity needs {part}",
            )
    if empty_read.labels and not empty_read.series_count:
        return f'{name}: OAP 10 answers no label but to labels: []; its percentiles are called "{{p=50}}" to "{{p=99}}"'
    return _service_cause(name, entity, services)


def require_known_metric(name: str, metric: str, known: Collection[str]) -> None:
    """Refuse a V2 read of a metric that an OAP does not have: it answers with silence, an old one with zeros.

    Raises:
        ProviderError: QUERY_INVALID, with the nearest names.
    """
    if known and metric not in known:
        raise ProviderError(Reason.QUERY_INVALID, f"{name}: OAP has no metric {metric!r}", did_you_mean(metric, known))


def _service_cause(name: str, entity: Mapping[str, object], services: ServiceInventory) -> str:
    service = entity.get("serviceName")
    if not services or not isinstance(service, str):
        return ""
    same_name = services.by_name.get(service, ())
    if any(one.normal == entity.get("normal") for one in same_name):
        return ""
    if same_name:
        return f"{name}: OAP knows {service!r} with normal: {str(same_name[0].normal).lower()}"
    return f"{name}: OAP knows no service {service!r}: {did_you_mean(service, services.by_name)}"


def _build_empty_read(read: FieldNode, metric_read: MetricRead, *, series_count: int) -> EmptyRead:
    arguments = {argument.name.value: argument.value for argument in read.arguments or ()}
    expression = arguments.get("expression")
    text = expression.value if isinstance(expression, StringValueNode) else ""
    condition = _object_fields(arguments.get("condition"))
    entity = _object_fields(arguments.get("entity") or condition.get("entity"))
    labels = arguments.get("labels")
    return EmptyRead(
        response_name(read),
        (metric_read.metric,)
        if metric_read.metric
        else ()
        if ranking_function(text)
        else tuple(extract_metric_names(text)),
        expression is not None,
        {key: value_from_ast_untyped(value) for key, value in entity.items()},
        tuple(one.value for one in labels.values if isinstance(one, StringValueNode))
        if isinstance(labels, ListValueNode)
        else (),
        series_count,
    )


def _object_fields(node: ValueNode | None) -> dict[str, ValueNode]:
    return {part.name.value: part.value for part in node.fields} if isinstance(node, ObjectValueNode) else {}
