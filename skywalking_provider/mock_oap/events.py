"""Events: those that were reported to `/v3/events`, merged by UUID as OAP does, and their queries.

Sources: the recorded exchanges (tests/captures), and `Event.combine` of OAP 10.1. A storage with SQL is imitated.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from skywalking_provider.mock_oap.clock import MockClock
from skywalking_provider.mock_oap.duration import Duration, parse_duration
from skywalking_provider.mock_oap.graphql_errors import DataFetchingError, Json
from skywalking_provider.mock_oap.layers import Layer
from skywalking_provider.mock_oap.versions import OapVersion

_MAX_EVENTS: Final = 10_000
_MAX_NAME: Final = 200
_MAX_PARAMETERS: Final = 4000
_MAX_SERVICE: Final = 70
_SOURCE: Final = {"service": _MAX_SERVICE, "serviceInstance": _MAX_SERVICE, "endpoint": 150}


class InvalidEventsError(Exception):
    """A body that OAP rejects with HTTP 400."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it is stored."""

    uuid: str
    source: Mapping[str, str | None]
    name: str
    type: str
    message: str
    parameters: str
    """JSON text, cut to 4,000 characters."""
    start: int
    end: int
    layer: str

    def update(self, later: "StoredEvent") -> "StoredEvent":
        """Return the event after a later report. Source, name and layer stay, and the start if there is one."""
        return replace(
            self,
            type=later.type,
            message=later.message or self.message,
            parameters=later.parameters or self.parameters,
            start=self.start or later.start,
            end=later.end or self.end,
        )

    def to_json(self) -> Json:
        """Return the event as GraphQL's type `Event`."""
        return {
            "uuid": self.uuid,
            "source": self.source,
            "name": self.name,
            "type": self.type,
            "message": self.message,
            "parameters": list(_parse_parameters(self.parameters)),
            "startTime": self.start,
            "endTime": self.end,
            "layer": self.layer,
        }


@dataclass(slots=True)
class EventStore:
    """The last events by UUID."""

    clock: MockClock
    events: dict[str, StoredEvent] = field(default_factory=dict)

    def report(self, body: str, oap_version: OapVersion) -> None:
        """Store reported events, a JSON array of SkyWalking's protobuf message.

        Raises:
            ValueError: The body is not JSON.
            InvalidEventsError: The body is not an array, or an event has no layer. Earlier ones are stored.
        """
        content = json.loads(body)
        if not isinstance(content, list):
            raise InvalidEventsError("the body is not an array")
        for one in content:
            if not isinstance(one, dict) or not one.get("layer"):
                raise InvalidEventsError("layer field is required since v9.0.0, please upgrade your event report tools")
            self._store(_parse_event(one), oap_version.max_event_message)

    def query(self, condition: Mapping[str, Any], oap_version: OapVersion) -> list[Json]:
        """Return the events that a GraphQL `EventQueryCondition` selects.

        Raises:
            DataFetchingError: The condition has neither a UUID nor a time.
        """
        time = condition.get("time")
        if not condition.get("uuid") and time is None:
            raise DataFetchingError("time field is required when uuid is absent.")
        duration = None if time is None else parse_duration(time, self.clock.zone, oap_version)
        selected = [one for one in self.events.values() if _matches(one, condition, duration)]
        selected.sort(key=lambda one: one.start, reverse=condition.get("order") != "ASC")
        size, number = condition["paging"]["pageSize"], condition["paging"].get("pageNum") or 1
        return [one.to_json() for one in selected[(number - 1) * size : number * size]]

    def _store(self, event: StoredEvent, max_message: int) -> None:
        known = self.events.get(event.uuid)
        merged = event if known is None else known.update(event)
        if len(merged.message) > max_message or len(merged.name) > _MAX_NAME:
            return  # the column of the database is shorter: the write fails, and no caller hears of it
        self.events[event.uuid] = merged
        while len(self.events) > _MAX_EVENTS:
            del self.events[next(iter(self.events))]


def _parse_event(content: Mapping[str, Any]) -> StoredEvent:
    source, parameters, layer = content.get("source"), content.get("parameters"), content["layer"]
    kind = "Error" if content.get("type") == "Error" else "Normal"
    return StoredEvent(
        uuid=content.get("uuid", ""),
        source=dict.fromkeys(_SOURCE) if source is None else {k: source.get(k, "")[:n] for k, n in _SOURCE.items()},
        name=content.get("name", ""),
        type=kind,
        message=content.get("message", ""),
        parameters=json.dumps(parameters, ensure_ascii=False, separators=(",", ":"))[:_MAX_PARAMETERS]
        if parameters
        else "",
        start=int(content.get("startTime", 0)),
        end=int(content.get("endTime", 0)),
        layer=layer if layer in Layer.__members__ else Layer.UNDEFINED.value,
    )


def _parse_parameters(text: str) -> Iterator[Json]:
    if not text:
        return
    try:
        content = json.loads(text)
    except ValueError:
        content = {"json_parse": "false", "raw_parameters": text}
    yield from ({"key": key, "value": value} for key, value in content.items())


def _matches(event: StoredEvent, condition: Mapping[str, Any], duration: Duration | None) -> bool:
    wanted = {key: condition.get(key) for key in ("uuid", "name", "type", "layer")}
    if any(value and getattr(event, key) != value for key, value in wanted.items()):
        return False
    if any(value and event.source[key] != value for key, value in (condition.get("source") or {}).items()):
        return False
    if duration is None:
        return True
    last = duration.buckets[-1]
    end = last.millis + 1000 * int(last.step.width.total_seconds()) - 1
    return event.start > duration.buckets[0].millis and event.end < end
