"""Reading metrics of entities by name, as aliases of one request, in the words that an OAP understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.plan import Read, duration_variable
from skywalking_provider.series import Bucket, Series, decimal, expression_error

_EXPRESSION = "{ type error results { metric { labels { key value } } values { id value } } }"
_PERCENTILES = ("50", "75", "90", "95", "99")  # what 9.x calls 0 to 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series: an expression (a bare metric's name on an old OAP) of an entity."""

    alias: str
    expression: str
    entity: Entity
    labeled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One series of an answer: its labels and its buckets, `None` where absent."""

    labels: Mapping[str, str]
    buckets: tuple[Bucket, ...]


def read_of(wanted: Sequence[Wanted], window: Window, *, mqe: bool) -> Read:
    """One request for all these series."""
    variables: dict[str, object] = {"duration": duration_variable(window)}
    declared, fields = ["$duration: Duration!"], []
    for one in wanted:
        if mqe:
            declared += [f"${one.alias}: String!", f"${one.alias}_entity: Entity!"]
            variables |= {one.alias: one.expression, f"{one.alias}_entity": _entity(one.entity)}
            fields.append(
                f"{one.alias}: execExpression(expression: ${one.alias}, entity: ${one.alias}_entity,"
                f" duration: $duration) {_EXPRESSION}"
            )
        else:
            declared.append(f"${one.alias}: MetricsCondition!")
            variables[one.alias] = {"name": one.expression, "entity": _entity(one.entity)}
            query, more = (
                ("readLabeledMetricsValues", ', labels: ["0", "1", "2", "3", "4"]')
                if one.labeled
                else (
                    "readMetricsValues",
                    "",
                )
            )
            fields.append(
                f"{one.alias}: {query}(condition: ${one.alias}{more}, duration: $duration)"
                " { label values { values { id value } } }"
            )
    return Read(f"query read({', '.join(declared)}) {{ {' '.join(fields)} }}", variables, window)


def found_in(data: Mapping[str, Any], wanted: Wanted, *, mqe: bool) -> list[Found]:
    """The series of one alias.

    Raises:
        ProviderError: OAP does not accept the expression, or its numbers are none.
    """
    field = data.get(wanted.alias)
    return _from_expression(field, wanted) if mqe else _from_values(field, wanted)


def _entity(entity: Entity) -> dict[str, object]:
    written: dict[str, object] = {
        "scope": entity.scope.value,
        "serviceName": entity.service,
        "normal": entity.normal,
    }
    if entity.instance is not None:
        written["serviceInstanceName"] = entity.instance
    if entity.endpoint is not None:
        written["endpointName"] = entity.endpoint
    return written


def _from_expression(field: object, wanted: Wanted) -> list[Found]:
    match field:
        case {"error": str(error)} if error:
            raise expression_error(wanted.expression, error)
        case {"type": "UNKNOWN"}:
            raise ProviderError(Reason.QUERY_INVALID, f"{wanted.expression}: OAP does not know what it is")
        case {"results": list(results)}:
            return [_expression_series(result, wanted) for result in results if isinstance(result, dict)]
    raise ProviderError(Reason.OAP_ANSWER_INVALID, f"{wanted.expression}: answered in another form than SkyWalking's")


def _expression_series(result: Mapping[str, Any], wanted: Wanted) -> Found:
    labels = {pair["key"]: pair["value"] for pair in (result.get("metric") or {}).get("labels") or ()}
    if "_" in labels:  # 9.x counts the percentiles
        labels["p"] = _percentile(labels.pop("_"))
    return Found(labels, tuple(decimal(value.get("value"), wanted.expression) for value in result.get("values") or ()))


def _from_values(field: object, wanted: Wanted) -> list[Found]:
    fields = field if isinstance(field, list) else [field]
    return [
        Found(
            {"p": _percentile(one.get("label") or "")} if wanted.labeled else {},
            tuple(value.get("value") for value in ((one.get("values") or {}).get("values")) or ()),
        )
        for one in fields
        if isinstance(one, dict)
    ]


def _percentile(label: str) -> str:
    return _PERCENTILES[int(label)] if label.isdigit() and int(label) < len(_PERCENTILES) else label


def series(wanted: Wanted, found: Sequence[Found]) -> Series:
    """All buckets of a read, to tell whether it is silent."""
    return Series(wanted.expression, tuple(bucket for one in found for bucket in one.buckets))
