"""Reads of an indicator's minutes of entities, for a whole history."""

from collections.abc import Mapping
from datetime import datetime

from skywalking_provider.model import Deadline, Entity, EntitySet
from skywalking_provider.oap import Backend
from skywalking_provider.queries.indicators.base import BucketValue, Indicator
from skywalking_provider.queries.indicators.reads import (
    build_indicator_requests,
    decode_entities,
    select_indicator_metrics,
)
from skywalking_provider.tools.backtest.history import MINUTE
from skywalking_provider.tools.backtest.recorded_oap import RecordedOap

EntityRows = Mapping[Entity, Mapping[datetime, BucketValue]]
"""Calls and value of each entity by minute, in UTC."""


async def read_entity_rows(
    indicator: Indicator, entities: EntitySet, backend: Backend, recorded: RecordedOap, deadline: Deadline
) -> EntityRows:
    """Read and decode the minutes of entities in all chunks of a history.

    Raises:
        BackendUnavailableError: The OAP is unavailable.
        ProviderError: The OAP lacks a metric, or its response is not valid.
    """
    known = await backend.connection.metrics(deadline)
    metrics = select_indicator_metrics(indicator, entities, known, backend.connection.suggest)
    mqe = (await backend.connection.features(deadline)).supports_mqe
    rows: dict[Entity, dict[datetime, BucketValue]] = {one: {} for one in entities.members}
    requests = build_indicator_requests(metrics, entities)
    for chunk in recorded.history.chunks:
        window = chunk.window(recorded.history.zone)
        data = await recorded.series(requests, window)
        decoded = decode_entities(indicator, metrics, entities, window, data, mqe=mqe)
        for entity, values in decoded.items():
            rows[entity] |= {chunk.start + one.bucket * MINUTE: one for one in values}
    return rows
