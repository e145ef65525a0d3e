"""Queue of events that wait to be sent: bounded, fair by namespace, with one entry for each UUID. No I/O."""

from collections import Counter
from typing import Final

from skywalking_provider.reporting.event import SkyWalkingEvent
from skywalking_provider.support.fair_queue import FairQueue

MAX_EVENTS: Final = 1000
"""Events of one backend. One takes 6 KB at most."""


class EventQueue:
    """Events of one backend in the order in which they are sent: round robin between namespaces.

    A later event of the same UUID replaces the queued one in its place. A namespace has as many places as are free:
    alone it has half of them.

    Args:
        max_events: Number of places.
    """

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max_events = max_events
        # State: the events by UUID, their order, and the number of events of each namespace.
        self._events: dict[str, SkyWalkingEvent] = {}
        self._order: FairQueue[str] = FairQueue()
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: SkyWalkingEvent) -> bool:
        """Queue an event, and return whether it has a place."""
        if event.uuid not in self._events:
            if self._counts[event.namespace] >= self._max_events - len(self._events):
                return False
            self._order.add(event.uuid, [event.namespace])
            self._counts[event.namespace] += 1
        self._events[event.uuid] = event
        return True

    def take(self, max_events: int) -> list[SkyWalkingEvent]:
        """Remove and return the next events."""
        taken: list[SkyWalkingEvent] = []
        while len(taken) < max_events and (uuid := self._order.next()) is not None:
            event = self._events.pop(uuid)
            self._counts[event.namespace] -= 1
            self._counts += Counter()  # removes namespaces without events
            taken.append(event)
        return taken
