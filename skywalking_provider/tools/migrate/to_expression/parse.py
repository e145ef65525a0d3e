"""Parser for queries of the V2 protocol that have an equivalent expression: one read of one metric of one entity."""

import re
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
)

from skywalking_provider.block.graphql_syntax import parse_query
from skywalking_provider.model import Scope

PERCENTILES = ("50", "75", "90", "95", "99")
"""Percentiles that OAP 9 labels "0" to "4". The response to a list of labels has this order."""

_NAMES = {
    Scope.SERVICE: {"serviceName"},
    Scope.INSTANCE: {"serviceName", "serviceInstanceName"},
    Scope.ENDPOINT: {"serviceName", "endpointName"},
}
_AVERAGE_METRIC = re.compile(r"(service|service_instance|endpoint)_(resp_time|sla|apdex|cpm)")


class NotExpressibleError(Exception):
    """A query without an equivalent expression; the text is the reason."""


@dataclass(frozen=True, slots=True)
class QueryRead:
    """One read of a metric.

    Attributes:
        alias: Name of the field in `result`.
        metric: Name of the metric.
        single: Whether it reads one value for the whole window.
        percentiles: Percentile at each index of a labelled read; empty for others.
        service: Name of the service, which may contain arguments.
        instance: Name of the instance, without arguments; None for none.
        endpoint: Name of the endpoint, which may contain arguments; None for none.
    """

    alias: str
    metric: str
    single: bool
    percentiles: tuple[str, ...]
    service: str
    instance: str | None
    endpoint: str | None


def parse_single_read(query: str) -> QueryRead:
    """Parse the only read of a query.

    Raises:
        NotExpressibleError: The query has several reads, or another kind of field.
    """
    field = _single_field(query)
    arguments = {one.name.value: one.value for one in field.arguments or ()}
    kind = field.name.value
    if kind == "execExpression":
        raise NotExpressibleError("it contains an expression already; write that as `expression`")
    if kind not in ("readMetricsValue", "readMetricsValues", "readLabeledMetricsValues"):
        raise NotExpressibleError(f"{kind} has no equivalent expression")
    condition = _object_fields(arguments.get("condition"), "condition")
    metric = _string_value(condition.get("name"), "condition.name")
    if not re.fullmatch(r"[A-Za-z_]\w*", metric):
        raise NotExpressibleError(f"the metric name {metric} is not known before the run")
    if kind == "readMetricsValues" and metric.endswith("_cpm"):
        raise NotExpressibleError(f"minutes without calls are 0 in a query of {metric}, but absent in an expression")
    if kind == "readMetricsValue" and not _AVERAGE_METRIC.fullmatch(metric):
        raise NotExpressibleError(f"OAP may aggregate {metric} to one value by another function than avg()")
    percentiles = _parse_percentiles(arguments.get("labels"), metric) if kind == "readLabeledMetricsValues" else ()
    service, instance, endpoint = _parse_entity(_object_fields(condition.get("entity"), "condition.entity"))
    alias = (field.alias or field.name).value
    return QueryRead(alias, metric, kind == "readMetricsValue", percentiles, service, instance, endpoint)


def _single_field(query: str) -> FieldNode:
    try:
        document = parse_query(query)
    except ValueError as error:
        outside = "it has {{args}} outside of strings, so it cannot be parsed before Argo replaces them"
        raise NotExpressibleError(outside if "{{" in query else str(error)) from error
    operation = document.definitions[0]
    if len(document.definitions) > 1 or not isinstance(operation, OperationDefinitionNode):
        raise NotExpressibleError("it has fragments")
    fields = operation.selection_set.selections
    if len(fields) != 1 or not isinstance(fields[0], FieldNode):
        raise NotExpressibleError(
            f"it reads {len(fields)} fields and an expression reads one; write one metric for each"
        )
    if fields[0].directives:
        raise NotExpressibleError("it has directives")
    return fields[0]


def _parse_entity(entity: dict[str, object]) -> tuple[str, str | None, str | None]:
    normal = entity.pop("normal", None)
    if not isinstance(normal, BooleanValueNode) or not normal.value:
        raise NotExpressibleError("its entity does not have `normal: true`")
    scope = entity.pop("scope", None)
    if not isinstance(scope, EnumValueNode) or scope.value not in _NAMES:
        raise NotExpressibleError("the scope of its entity is not Service, ServiceInstance or Endpoint")
    names = {name: _string_value(value, name) for name, value in entity.items()}
    if set(names) != _NAMES[Scope(scope.value)]:
        raise NotExpressibleError(
            f"the scope {scope.value} does not match the keys {', '.join(sorted(names)) or '(none)'}"
        )
    instance = names.get("serviceInstanceName")
    if instance and "{{" in instance:
        raise NotExpressibleError(
            f"instances are selected by a regular expression, and {instance} cannot be escaped before the run; write"
            " `instances` by hand, preferably with podTemplateHash"
        )
    if not all(name.strip() == name and name for name in names.values()):
        raise NotExpressibleError("a name is empty or begins or ends with a space")
    return names["serviceName"], instance, names.get("endpointName")


def _parse_percentiles(labels: object, metric: str) -> tuple[str, ...]:
    if not metric.endswith("_percentile"):
        raise NotExpressibleError(f"the meaning of the labels of {metric} is unknown")
    if not isinstance(labels, ListValueNode):
        raise NotExpressibleError("its labels are not a literal list")
    written = [one.value if isinstance(one, StringValueNode) else "" for one in labels.values]
    if written != sorted(set(written)) or not set(written) <= set("01234"):
        raise NotExpressibleError('its labels are not a part of "0" to "4" in this order')
    return tuple(PERCENTILES[int(label)] for label in written) or PERCENTILES


def _object_fields(node: object, name: str) -> dict[str, object]:
    if not isinstance(node, ObjectValueNode):
        raise NotExpressibleError(f"its {name} is not a literal object")
    return {one.name.value: one.value for one in node.fields}


def _string_value(node: object, name: str) -> str:
    if not isinstance(node, StringValueNode):
        raise NotExpressibleError(f"its {name} is not a literal string")
    return node.value
