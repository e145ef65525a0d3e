"""For whom a request is made, and until when: both grow while others join."""

import asyncio
from dataclasses import dataclass, field

from skywalking_provider.model import Deadline

INTERNAL_TENANT = ""
"""The namespace of what the provider asks for itself: the clock, the schema, the catalogue."""


@dataclass(slots=True, eq=False)
class SharedRequest:
    """One request's wish, shared by all who wait for its answer.

    Attributes:
        deadline: Of the one who can wait longest: nobody shortens another's time.
        namespaces: Whose turns it may take; the first one asked, others joined.
        slot_granted: Done once a slot is its own; None while it does not wait for one.
        waiters: How many wait for the answer.
        in_flight: Whether the OAP is being asked now; before and between attempts it can be given up for nothing.
    """

    deadline: Deadline
    namespaces: list[str]
    waiters: int = 0
    slot_granted: asyncio.Future[None] | None = field(default=None, repr=False)
    in_flight: bool = False

    @property
    def remaining(self) -> float:
        """Seconds that there are for more attempts; none where nobody waits any more."""
        return self.deadline.remaining if self.waiters else 0.0

    def extend(self, deadline: Deadline) -> None:
        """Somebody joined who can wait until then."""
        self.deadline = max(self.deadline, deadline, key=lambda one: one.at)
