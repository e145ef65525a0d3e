"""Reading metrics of entities by name, as aliases of one request, in the words that an OAP understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skywalking_provider.answers import EXPRESSION, LABELED, SERIES, ExpressionSeries, refuse
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Entity, Window
from skywalking_provider.plan import Read, duration_variable
from skywalking_provider.series import Number, decimal, expression_error

_EXPRESSION = "{ type error results { metric { labels { key value } } values { id value } } }"
_PERCENTILES = {"0": "50", "1": "75", "2": "90", "3": "95", "4": "99"}  # as 9.x counts them

IN_TIME, SINGLE = "TIME_SERIES_VALUES", "SINGLE_VALUE"
MOST = 2**63  # of anything that OAP counts
RANKINGS = ("SORTED_LIST", "RECORD_LIST")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series: an expression (a bare metric's name on an old OAP) of an entity."""

    alias: str
    expression: str
    entity: Entity
    labeled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One series of an answer.

    Attributes:
        labels: Its labels; percentiles have the same ones on every OAP.
        buckets: Its numbers, `None` where absent.
        names: What each number belongs to in a ranking; elsewhere they are buckets of time.
    """

    labels: Mapping[str, str]
    buckets: tuple[Number | None, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one `Wanted`: MQE's type of it, and its series."""

    kind: str
    found: tuple[Found, ...]


def reply_in(data: Mapping[str, Any], wanted: Wanted, *, mqe: bool) -> Reply:
    """The answer to one alias.

    Raises:
        ProviderError: OAP does not accept the expression, its numbers are none, or the answer is no SkyWalking's.
    """
    return _from_expression(data, wanted) if mqe else _from_values(data, wanted)


def calls_in(data: Mapping[str, Any], wanted: Wanted, *, mqe: bool) -> tuple[int | None, ...]:
    """The calls of every bucket, of a read of a metric that counts them.

    Raises:
        ProviderError: As `reply_in`; they are no counts.
    """
    found = reply_in(data, wanted, mqe=mqe).found
    if len(found) > 1:
        refuse(wanted.alias, f"{len(found)} series of {wanted.expression}")
    calls = found[0].buckets if found else ()
    for count in calls:
        if count is not None and not 0 <= count < MOST:
            refuse(wanted.alias, f"{count} calls")
    return tuple(None if count is None else int(count) for count in calls)


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


def _from_expression(data: Mapping[str, Any], wanted: Wanted) -> Reply:
    answer = EXPRESSION.read(data, wanted.alias)
    if answer.error:
        raise expression_error(wanted.expression, answer.error)
    if answer.type == "UNKNOWN":
        raise ProviderError(Reason.QUERY_INVALID, f"{wanted.expression}: OAP does not know what it is")
    ranking = answer.type in RANKINGS
    return Reply(answer.type, tuple(_expression_series(one, wanted, ranking=ranking) for one in answer.results))


def _expression_series(answer: ExpressionSeries, wanted: Wanted, *, ranking: bool) -> Found:
    labels = {label.key: label.value or "" for label in (answer.metric.labels if answer.metric else ())}
    if "_" in labels:  # 9.x counts the percentiles
        labels["p"] = _percentile(labels.pop("_"))
    numbers = tuple(decimal(one.value, wanted.expression) for one in answer.values)
    return Found(labels, numbers, tuple(one.id or "" for one in answer.values) if ranking else ())


def _from_values(data: Mapping[str, Any], wanted: Wanted) -> Reply:
    answers = LABELED.read(data, wanted.alias) if wanted.labeled else (SERIES.read(data, wanted.alias),)
    found = (
        Found(
            {"p": _percentile(one.label or "")} if wanted.labeled else {},
            tuple(bucket.value for bucket in one.values.values),
        )
        for one in answers
    )
    return Reply(IN_TIME, tuple(found))


def _percentile(label: str) -> str:
    return _PERCENTILES.get(label, label)
