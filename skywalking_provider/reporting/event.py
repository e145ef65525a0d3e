"""Event for SkyWalking's event API, built from a measurement. No I/O.

OAP keeps one event for each UUID. A later report of the same UUID replaces type, message, parameters and end. The first
one decides about the start, the source, the layer and the name.
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from uuid import UUID, uuid5

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.model import Entity, EntitySet, Measurement, Phase, Run
from skywalking_provider.support.instants import EARLIEST
from skywalking_provider.support.printable import printable_line

EVENT_NAME: Final = "AnalysisRun"
MAX_MESSAGE: Final = 200
"""Characters of a message. OAP 9 with a storage of SQL loses an event whose message has more (10.1: 2,000)."""
MAX_PARAMETERS: Final = 4000
"""Characters of all parameters in the JSON that OAP stores. It cuts longer ones, which are then not JSON any more."""
_MAX_PARAMETER: Final = 253
_MAX_VALUE: Final = 256
_ESCAPED: Final = str.maketrans(dict.fromkeys("<>&='", "......") | dict.fromkeys('"\\', ".."))
"""Lengths of the characters that Gson, which OAP uses, writes as escapes."""
_MAX_SOURCE: Final = 512
_NAMESPACE: Final = UUID("8f4cb1f5-5c8c-5b0e-9c39-0d5b9f4c7e21")
_ERRORS: Final = (Phase.FAILED, Phase.ERROR)


@dataclass(frozen=True, slots=True)
class SkyWalkingEvent:
    """One event as it is reported.

    Attributes:
        uuid: Identity: the same for every measurement of one metric of one AnalysisRun on one entity.
        namespace: Namespace of the AnalysisRun.
        entity: Service, instance or endpoint of the event.
        layer: Layer of the service; empty if it is not known yet.
        error: Whether the type is Error. Otherwise it is Normal.
        message: Metric, phase and message of the measurement in one line, cut.
        parameters: Names and values of the facts. A message that is cut is whole there.
        start: Creation of the AnalysisRun.
        end: End of the measurement.
    """

    uuid: str
    namespace: str
    entity: Entity
    layer: str
    error: bool
    message: str
    parameters: Mapping[str, str]
    start: datetime
    end: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the event in the JSON form of SkyWalking's protobuf message."""
        source = {
            "service": self.entity.service,
            "serviceInstance": self.entity.instance,
            "endpoint": self.entity.endpoint,
        }
        return {
            "uuid": self.uuid,
            "source": {key: _encodable(name)[:_MAX_SOURCE] for key, name in source.items() if name is not None},
            "name": EVENT_NAME,
            "type": "Error" if self.error else "Normal",
            "message": self.message,
            "parameters": dict(self.parameters),
            "startTime": _milliseconds(self.start),
            "endTime": _milliseconds(self.end),
            "layer": self.layer,
        }


def build_events(
    event: MeasurementEvent, max_instances: int, redact: Callable[[str], str] = str
) -> tuple[SkyWalkingEvent, ...]:
    """Build the events of a finished measurement: one for each judged instance, or one for the service or endpoint.

    Args:
        event: Measurement event. One that is not finished, or names no service, has no events.
        max_instances: Number of instances that get an event each. With more of them, their service gets one.
        redact: Redacts the credentials of the backend.
    """
    measurement = event.measurement
    entities = event.details.entities or (event.named_entities() if measurement.phase.completed else None)
    if not measurement.phase.completed or measurement.finished_at is None or entities is None:
        return ()
    message = _build_message(event.metric.name, measurement, redact)
    # Not started_at first: it is missing in the first measurement, and the start must be the same in all.
    start = event.run.created_at or event.run.started_at or measurement.started_at
    template = SkyWalkingEvent(
        uuid="",
        namespace=event.run.namespace,
        entity=entities.members[0],
        layer=next(iter(entities.layers), ""),
        error=measurement.phase in _ERRORS,
        message=_cut(message, MAX_MESSAGE),
        parameters=_build_parameters(event, entities, message, redact),
        start=min(start, measurement.finished_at),  # another clock may be behind
        end=measurement.finished_at,
    )
    return tuple(
        replace(template, entity=entity, uuid=_identify(event.run, event.metric.name, entity))
        for entity in _select_sources(entities, max_instances)
    )


def _select_sources(entities: EntitySet, max_instances: int) -> tuple[Entity, ...]:
    members = entities.members
    if members[0].instance is None or len(members) <= max_instances:
        return members
    return (Entity(members[0].service, members[0].normal),)


def _identify(run: Run, metric: str, entity: Entity) -> str:
    """Return the UUID. The run's own UID is in it, so a run that is created again has another event."""
    identity = (run.uid, run.namespace, run.name, metric, entity.service, entity.instance or "", entity.endpoint or "")
    return str(uuid5(_NAMESPACE, json.dumps(identity)))


def _build_message(metric: str, measurement: Measurement, redact: Callable[[str], str]) -> str:
    shown = measurement.message or _cut(measurement.value, _MAX_VALUE)
    text = f"{metric} {measurement.phase}: {shown}" if shown else f"{metric} {measurement.phase}"
    return printable_line(redact(text))


def _build_parameters(
    event: MeasurementEvent, entities: EntitySet, message: str, redact: Callable[[str], str]
) -> dict[str, str]:
    run, measurement = event.run, event.measurement
    owner = {run.owner_kind.lower(): run.owner_name} if run.owner_kind in ("Rollout", "Experiment") else {}
    texts = {
        **owner,
        "namespace": run.namespace,
        "analysisRun": run.name,
        "podTemplateHash": run.pod_template_hash,
        "metric": event.metric.name,
        "phase": measurement.phase.value,
        "reason": event.reason.value if event.reason else "",
        "value": measurement.value,
        "measuredAt": measurement.started_at.isoformat(timespec="seconds"),
        "instances": str(len(entities.members)) if entities.members[0].instance is not None else "",
    }
    limits = {"value": _MAX_VALUE, "metric": _MAX_PARAMETER // 2}
    parameters = {
        key: _cut(printable_line(redact(text)), limits.get(key, _MAX_PARAMETER)) for key, text in texts.items() if text
    }
    if len(message) > MAX_MESSAGE:
        left = MAX_PARAMETERS - stored_length(parameters | {"message": ""})
        parameters["message"] = _cut_stored(message, left)
    return parameters


def stored_length(parameters: Mapping[str, str]) -> int:
    """Return the number of characters of the JSON that OAP stores."""
    quotes_and_signs = 6  # "key":"text",
    return 1 + sum(quotes_and_signs + len(key) + len(text.translate(_ESCAPED)) for key, text in parameters.items())


def _cut_stored(text: str, limit: int) -> str:
    """Return a text whose stored form has at most `limit` characters."""
    if len(text.translate(_ESCAPED)) <= limit:
        return text
    lengths = accumulate(len(character.translate(_ESCAPED)) for character in text)
    return f"{text[: bisect_right(list(lengths), limit - 1)]}…"


def _encodable(name: str) -> str:
    """Return a name that UTF-8 can encode: OAP's may contain a lone surrogate."""
    return name.encode("utf-8", "replace").decode()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _milliseconds(instant: datetime) -> int:
    """Return the milliseconds since 1970."""
    return (instant - EARLIEST) // timedelta(milliseconds=1)
