"""Alarms of an OAP: requests for them, and the parser of the responses.

An alarm has no name of its entity, but the entity's id. Before OAP 11 it has no name of its rule, either.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from skywalking_provider.model import Entity, Scope, Window
from skywalking_provider.oap.api.record_responses import ALARMS, ListedAlarm
from skywalking_provider.oap.api.request import GraphqlRequest, duration_variable
from skywalking_provider.oap.api.responses import SCHEMA_TYPE

PAGE_SIZE: Final = 2000
"""Alarms of one page, the newest first; a page of fewer alarms is the last one. A rule may raise an alarm of every
instance of an OAP in the same second."""
MAX_PAGES: Final = 4
MAX_MESSAGE: Final = 2000
"""Characters of an alarm's message that are read. The OAP stores up to 20,000."""

ALARM_FIELDS_REQUEST: Final = GraphqlRequest('{ alarm: __type(name: "AlarmMessage") { fields { name } } }', {})

_RECOVERY_FIELD: Final = "recoveryTime"
_SECOND_FORMAT: Final = "%Y-%m-%d %H%M%S"  # SkyWalking's, at SECOND step
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlarmFeatures:
    """Parts of the alarm query that depend on the version of the OAP.

    Attributes:
        selects_rules: `queryAlarms`, which filters by rule and entity (11 and newer).
        reports_recovery: Whether an alarm has the time of its recovery (10.4 and newer).
    """

    selects_rules: bool = False
    reports_recovery: bool = False


@dataclass(frozen=True, slots=True)
class AlarmRead:
    """One field of a request for alarms.

    Attributes:
        alias: Name of the field in the response.
        scope: Scope of the alarms; None for all, which `queryAlarms` returns.
        rule: Rule of the alarms; empty for all.
        until: Second in which the last of them began, on the OAP's clock; None for the end of the window.
    """

    alias: str
    scope: Scope | None = None
    rule: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OapAlarm:
    """An alarm as the OAP stores it.

    Attributes:
        began_at: Milliseconds since 1970.
        scope: Scope of its entity as in the response, such as "ServiceInstance".
        entity_id: Id of its entity; that of the caller for a relation.
        message: Message of the rule, cut to MAX_MESSAGE characters.
        tags: Tags of the rule.
        recovered: Whether the OAP reports its recovery.
        rule: Name of the rule, if the request named one; else empty.
    """

    began_at: int
    scope: str
    entity_id: str
    message: str
    tags: tuple[tuple[str, str], ...] = ()
    recovered: bool = False
    rule: str = ""


def parse_reports_recovery(data: Mapping[str, Any]) -> bool:
    """Return whether alarms have the time of their recovery, from the response to ALARM_FIELDS_REQUEST."""
    alarm_type = SCHEMA_TYPE.parse(data, "alarm")
    return alarm_type is not None and any(field.name == _RECOVERY_FIELD for field in alarm_type.fields or ())


def plan_alarm_reads(features: AlarmFeatures, scopes: Iterable[Scope], rules: Sequence[str]) -> tuple[AlarmRead, ...]:
    """Return the reads for the alarms of these scopes and rules: one for each rule, or one for each scope."""
    if features.selects_rules:
        return tuple(AlarmRead(f"a{at}", rule=rule) for at, rule in enumerate(rules or ("",)))
    return tuple(AlarmRead(f"a{at}", scope) for at, scope in enumerate(scopes))


def read_older(read: AlarmRead, page: Sequence[OapAlarm], window: Window) -> AlarmRead | None:
    """Return the read of the next page; None if it would be the same one.

    It has the second of the oldest alarm again. The pages that an OAP counts itself would lose alarms: many begin in
    the same millisecond, and their order differs from page to page.

    Args:
        read: Read of this page.
        page: Alarms of this page.
        window: Minutes in which the alarms began.
    """
    oldest = from_milliseconds(min(one.began_at for one in page)).astimezone(window.start.tzinfo)
    until = oldest.replace(microsecond=0)
    return None if until == read.until else replace(read, until=until)


def alarms_request(
    reads: Sequence[AlarmRead], window: Window, entities: Sequence[Entity], features: AlarmFeatures
) -> GraphqlRequest:
    """Build the request for a page of each read.

    The response to it may change: an alarm recovers, and the OAP stores it some seconds after it began. So the request
    does not name its window to the cache.

    Args:
        reads: Reads of the request.
        window: Minutes in which the alarms began.
        entities: Entities of the alarms; empty if they are not known one by one. Only `queryAlarms` uses them.
        features: Features of the OAP.
    """
    recovery = f" {_RECOVERY_FIELD}" if features.reports_recovery else ""
    selection = f"{{ msgs {{ startTime scope id message tags {{ key value }}{recovery} }} }}"
    paging = {"pageNum": 1, "pageSize": PAGE_SIZE}
    if not features.selects_rules:
        declared = "".join(f"${one.alias}: Duration!, " for one in reads)
        fields = " ".join(
            f"{one.alias}: getAlarm(duration: ${one.alias},{f' scope: {one.scope.value},' if one.scope else ''}"
            f" paging: $paging) {selection}"
            for one in reads
        )
        durations = {one.alias: _duration(one, window) for one in reads}
        return GraphqlRequest(
            f"query q({declared}$paging: Pagination!) {{ {fields} }}", {**durations, "paging": paging}
        )
    declared = ", ".join(f"${one.alias}: AlarmQueryCondition!" for one in reads)
    fields = " ".join(f"{one.alias}: queryAlarms(condition: ${one.alias}) {selection}" for one in reads)
    condition: dict[str, object] = {"paging": paging}
    if entities:
        condition["entities"] = [_entity_input(one) for one in entities]
    variables = {
        one.alias: {"duration": _duration(one, window)} | condition | ({"ruleNames": [one.rule]} if one.rule else {})
        for one in reads
    }
    return GraphqlRequest(f"query q({declared}) {{ {fields} }}", variables)


def parse_alarms(data: Mapping[str, Any], reads: Sequence[AlarmRead]) -> list[list[OapAlarm]]:
    """Parse the response to `alarms_request`: the alarms of each read.

    Raises:
        ProviderError: OAP_RESPONSE_INVALID.
    """
    return [[_convert(one, read.rule) for one in ALARMS.parse(data, read.alias).msgs] for read in reads]


def service_id(name: str, *, normal: bool) -> str:
    """Return the OAP's id of a service."""
    return f"{_encode_name(name)}.{int(normal)}"


def entity_id(entity: Entity) -> str:
    """Return the OAP's id of an entity."""
    own = service_id(entity.service, normal=entity.normal)
    child = entity.instance if entity.instance is not None else entity.endpoint
    return own if child is None else f"{own}_{_encode_name(child)}"


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the instant of an alarm's time. `to_milliseconds` is the reverse."""
    return _EPOCH + milliseconds * _MILLISECOND


def to_milliseconds(instant: datetime) -> int:
    """Return an instant as milliseconds since 1970."""
    return (instant.astimezone(UTC) - _EPOCH) // _MILLISECOND


def _duration(read: AlarmRead, window: Window) -> dict[str, str]:
    if read.until is None:
        return duration_variable(window)
    first, last = (one.strftime(_SECOND_FORMAT) for one in (window.start, read.until))
    return {"start": first, "end": last, "step": "SECOND"}


def _encode_name(name: str) -> str:
    return base64.b64encode(name.encode("utf-8", "replace")).decode()  # as Java encodes a lone surrogate


def _entity_input(entity: Entity) -> dict[str, object]:
    fields: dict[str, object] = {
        "scope": entity.scope.value,
        "serviceName": entity.service,
        "normal": entity.normal,
        "serviceInstanceName": entity.instance,
        "endpointName": entity.endpoint,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _convert(alarm: ListedAlarm, rule: str) -> OapAlarm:
    return OapAlarm(
        alarm.began_at,
        alarm.scope or "",
        alarm.id,
        alarm.message[:MAX_MESSAGE],
        tuple((one.key, one.value or "") for one in alarm.tags),
        bool(alarm.recovered_at),
        rule,
    )
