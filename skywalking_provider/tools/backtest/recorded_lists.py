"""Recorded lists of a service's instances by the hour."""

from datetime import UTC, datetime
from typing import Final

from skywalking_provider.model import Entity, Window
from skywalking_provider.oap.api.inventory import (
    INSTANCES_ALIAS,
    InventoryInstance,
    InventoryService,
    parse_instances,
)
from skywalking_provider.tools.backtest.cached_reads import CachedReads
from skywalking_provider.tools.backtest.history import MINUTE, Chunk

_HOUR: Final = 60 * MINUTE


class RecordedLists:
    """Lists of instances, read for the whole history when a service is first needed.

    Args:
        reads: Reads of the OAP.
    """

    def __init__(self, reads: CachedReads) -> None:
        self._reads = reads
        # State: lists by service and hour, the hours that list an instance, and lists of several hours.
        self._lists: dict[tuple[str, datetime], tuple[InventoryInstance, ...]] = {}
        self._listed: dict[tuple[str, bool, str], set[datetime]] = {}
        self._merged: dict[tuple[str, tuple[datetime, ...]], tuple[InventoryInstance, ...]] = {}

    async def read(self, service: InventoryService, window: Window) -> tuple[InventoryInstance, ...]:
        """Return the instances of a service that the OAP listed in the hours of a window."""
        await self._record(service)
        start, end = window.start.astimezone(self._reads.history.zone), window.end.astimezone(UTC)
        hours, hour = [], start.replace(minute=0).astimezone(UTC)
        while hour < end:
            hours.append(hour)
            hour += _HOUR
        key = (service.id, tuple(hours))
        if key not in self._merged:
            listed = {one.name: one for hour in hours for one in self._lists.get((service.id, hour), ())}
            self._merged[key] = tuple(listed.values())
        return self._merged[key]

    def may_have(self, entity: Entity, chunk: Chunk) -> bool:
        """Return whether an entity may have values in a chunk: it is no instance, or one that was listed then."""
        if entity.instance is None:
            return True
        hours = self._listed.get((entity.service, entity.normal, entity.instance))
        return hours is None or any(chunk.start <= hour < chunk.end for hour in hours)

    async def _record(self, service: InventoryService) -> None:
        chunks = self._reads.history.chunks
        if (service.id, chunks[-1].start) in self._lists:
            return
        self._reads.live.progress.add_needed(len(chunks))
        await self._reads.gather(self._record_chunk(service, chunk) for chunk in chunks)

    async def _record_chunk(self, service: InventoryService, chunk: Chunk) -> None:
        key = f"instances {service.id}"
        hours = self._reads.load(key, chunk)
        if hours is None:
            live = self._reads.live
            hours = await self._reads.guard(live.instances(service.id, chunk, self._reads.history))
            self._reads.save(key, chunk, hours)
        for text, listed in hours.items():
            hour = datetime.fromisoformat(text)
            self._lists[service.id, hour] = parse_instances({INSTANCES_ALIAS: listed})
            for one in self._lists[service.id, hour]:
                self._listed.setdefault((service.name, service.normal, one.name), set()).add(hour)
        self._reads.live.progress.add_complete()
