"""What is likely wrong with a read of which nothing came: much that OAP does not understand is silence. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import FieldNode, ListValueNode, ObjectValueNode, StringValueNode, ValueNode, value_from_ast_untyped

from skywalking_provider.entities import Services, nearest
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.forms.healing import Healed, Own, response_name, top_level
from skywalking_provider.series import Series
from skywalking_provider.spec.mqe import metrics_in, ranking_in
from skywalking_provider.spec.query import parse_query

# What a metric of a catalog wants to be told of its entity.
_PARTS = {"SERVICE_INSTANCE": "serviceInstanceName", "ENDPOINT": "endpointName"}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A silent read of an author's query, as far as it is written out.

    Attributes:
        name: Its response name.
        metrics: The one it reads; of an expression all names, labels and such among them; none of a ranking, which is
            of all instances or endpoints of its entity.
        expression: Whether it is one: OAP itself refuses a metric there that it does not know.
        entity: What it says of the entity; empty where that is not written out.
        labels: Those it asks for.
        series: How many series were answered.
    """

    name: str
    metrics: tuple[str, ...] = ()
    expression: bool = False
    entity: Mapping[str, object] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    series: int = 1


def suspects_in(text: str, query: Healed, silent: Sequence[Series]) -> list[Suspect]:
    """The reads of a query that were silent.

    Args:
        text: As its author wrote it.
        query: As it was sent.
        silent: What came of them.
    """
    written = {response_name(read): read for read in top_level(parse_query(text))}
    names = dict.fromkeys(series.name.split(" ")[0] for series in silent)
    buckets = {series.name: len(series.buckets) for series in silent}
    reads = {**query.reads, **query.expressions}
    return [_suspect(written[name], reads[name], series=buckets.get(name, 1)) for name in names if name in reads]


def cause(suspect: Suspect, metrics: Mapping[str, str], services: Services) -> str:
    """The likely cause of silence with its remedy; empty where none is known.

    Args:
        suspect: The silent read.
        metrics: The metrics of the OAP with their catalogs.
        services: Its services.

    Raises:
        ProviderError: QUERY_INVALID, where waiting cannot help.
    """
    name, entity = suspect.name, suspect.entity
    if "serviceName" in entity and "normal" not in entity and entity.get("scope") != "All":
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"{name}: its entity says nothing of `normal`, and so is none for OAP",
            "write normal: true (false for what agents only call, such as a database)",
        )
    for metric in suspect.metrics:
        if not suspect.expression:
            check_known(name, metric, metrics)
        part = _PARTS.get(metrics.get(metric, ""))
        if part and entity and part not in entity:
            raise ProviderError(
                Reason.QUERY_INVALID,
                f"{name}: {metric} is a metric of the scope {metrics[metric]}",
                f"its entity needs {part}",
            )
    if suspect.labels and not suspect.series:
        return f'{name}: OAP 10 answers no label but to labels: []; its percentiles are called "{{p=50}}" to "{{p=99}}"'
    return _of_service(name, entity, services)


def check_known(name: str, metric: str, known: Collection[str]) -> None:
    """Refuse a V2 read of a metric that an OAP does not have: it answers with silence, an old one with zeros.

    Raises:
        ProviderError: QUERY_INVALID, with the nearest names.
    """
    if known and metric not in known:
        raise ProviderError(Reason.QUERY_INVALID, f"{name}: OAP has no metric {metric!r}", nearest(metric, known))


def _of_service(name: str, entity: Mapping[str, object], services: Services) -> str:
    service = entity.get("serviceName")
    if not services or not isinstance(service, str):
        return ""
    same_name = services.by_name.get(service, ())
    if any(one.normal == entity.get("normal") for one in same_name):
        return ""
    if same_name:
        return f"{name}: OAP knows {service!r} with normal: {str(same_name[0].normal).lower()}"
    return f"{name}: OAP knows no service {service!r}: {nearest(service, services.by_name)}"


def _suspect(read: FieldNode, own: Own, *, series: int) -> Suspect:
    arguments = {argument.name.value: argument.value for argument in read.arguments or ()}
    expression = arguments.get("expression")
    text = expression.value if isinstance(expression, StringValueNode) else ""
    condition = _parts(arguments.get("condition"))
    entity = _parts(arguments.get("entity") or condition.get("entity"))
    labels = arguments.get("labels")
    return Suspect(
        response_name(read),
        (own.metric,) if own.metric else () if ranking_in(text) else tuple(metrics_in(text)),
        expression is not None,
        {key: value_from_ast_untyped(value) for key, value in entity.items()},
        tuple(one.value for one in labels.values if isinstance(one, StringValueNode))
        if isinstance(labels, ListValueNode)
        else (),
        series,
    )


def _parts(node: ValueNode | None) -> dict[str, ValueNode]:
    return {part.name.value: part.value for part in node.fields} if isinstance(node, ObjectValueNode) else {}
