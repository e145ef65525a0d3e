"""Resolvers of the alarm queries.

Sources: the recorded responses, and JDBCAlarmQueryDAO of OAP 10.1. What OAP 10.4 and 11 add is taken from their schema.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from skywalking_provider.mock_oap.clock import MINUTE
from skywalking_provider.mock_oap.duration import parse_range
from skywalking_provider.mock_oap.entity_ids import EntityKey, MetricScope, resolve_entity
from skywalking_provider.mock_oap.graphql_errors import Json
from skywalking_provider.mock_oap.scenario import ScenarioAlarm, ScenarioService
from skywalking_provider.mock_oap.store import Store
from skywalking_provider.mock_oap.versions import OapVersion


@dataclass(frozen=True, slots=True)
class _StoredAlarm:
    began_at: datetime
    entity: EntityKey
    alarm: ScenarioAlarm
    recovered_at: datetime | None

    def to_json(self) -> Json:
        """Return the alarm as `AlarmMessage`."""
        return {
            "startTime": _milliseconds(self.began_at),
            "recoveryTime": _milliseconds(self.recovered_at) if self.recovered_at else None,
            "scope": self.entity.scope.value,
            "id": self.entity.id,
            "message": self.alarm.text,
            "events": [],
            "tags": [{"key": key, "value": value} for key, value in self.alarm.tags.items()],
        }


@dataclass(frozen=True, slots=True)
class AlarmQueries:
    """Resolvers of the alarm queries for one OAP version."""

    store: Store
    oap_version: OapVersion

    def get_alarm(
        self,
        duration: Mapping[str, str],
        paging: Mapping[str, int],
        scope: str | None = None,
        keyword: str | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> Json:
        """Resolve `getAlarm`."""
        return self._select(duration, paging, keyword, tags, lambda one: scope in (None, one.entity.scope.value))

    def query_alarms(self, condition: Mapping[str, Any]) -> Json:
        """Resolve `queryAlarms`. An entity selects its own alarms, not those of its instances."""
        rules = condition.get("ruleNames") or ()
        ids = {entity_id for one in condition.get("entities") or () if (entity_id := self._resolve_id(one))}

        def matches(one: _StoredAlarm) -> bool:
            return (not rules or one.alarm.rule in rules) and (not ids or one.entity.id in ids)

        return self._select(
            condition["duration"], condition["paging"], condition.get("keyword"), condition.get("tags"), matches
        )

    def _select(
        self,
        duration: Mapping[str, str],
        paging: Mapping[str, int],
        keyword: str | None,
        tags: Sequence[Mapping[str, str]] | None,
        matches: Callable[[_StoredAlarm], bool],
    ) -> Json:
        start, end = parse_range(duration, self.store.clock.zone, self.oap_version)
        if tags:  # none is searchable unless searchableAlarmTags has it
            return {"msgs": []}
        found = [
            one
            for one in self._stored()
            if start <= one.began_at < end and (keyword or "") in one.alarm.text and matches(one)
        ]
        found.sort(key=lambda one: one.began_at, reverse=True)
        size = paging["pageSize"]
        first = (max(1, paging.get("pageNum") or 1) - 1) * size
        return {"msgs": [one.to_json() for one in found[first : first + size]]}

    def _stored(self) -> Iterator[_StoredAlarm]:
        """Yield the alarms that the OAP has stored up to now."""
        now = self.store.clock.now()
        for service in self.store.scenario.services:
            for alarm in service.alarms:
                for began_at in self._starts(alarm, now):
                    yield _StoredAlarm(began_at, _entity(service, alarm), alarm, self._recovery(alarm, began_at, now))

    def _starts(self, alarm: ScenarioAlarm, now: datetime) -> Iterator[datetime]:
        delay = timedelta(milliseconds=round(alarm.second * 1000))
        minute = alarm.begin
        while (at := self.store.clock.start + minute * MINUTE + delay) <= now:
            if alarm.until is not None and minute >= alarm.until:
                return
            yield at
            if alarm.every is None:
                return
            minute += alarm.every

    def _recovery(self, alarm: ScenarioAlarm, began_at: datetime, now: datetime) -> datetime | None:
        if alarm.recovers_after is None:
            return None
        at = began_at + alarm.recovers_after * MINUTE
        return at if at <= now else None

    def _resolve_id(self, entity: Mapping[str, object]) -> str:
        scope = str(entity.get("scope") or MetricScope.SERVICE)
        resolved = resolve_entity(entity, MetricScope(scope), self.oap_version)
        return resolved.id if resolved else ""


def _entity(service: ScenarioService, alarm: ScenarioAlarm) -> EntityKey:
    if alarm.instance is not None:
        return EntityKey(MetricScope.INSTANCE, service.name, service.normal, alarm.instance)
    if alarm.endpoint is not None:
        return EntityKey(MetricScope.ENDPOINT, service.name, service.normal, alarm.endpoint)
    return EntityKey(MetricScope.SERVICE, service.name, service.normal)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
