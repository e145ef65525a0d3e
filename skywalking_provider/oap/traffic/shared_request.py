"""A request shared by several callers: its tenants, its latest deadline and its state."""

import asyncio
from dataclasses import dataclass, field

from skywalking_provider.model import Deadline

INTERNAL_TENANT = ""
"""Tenant of the provider's own requests: clock, schema, lists of services and metrics."""


@dataclass(slots=True, eq=False)
class SharedRequest:
    """One request that several callers wait for.

    Attributes:
        deadline: The latest deadline of the callers. No caller shortens the time of another.
        namespaces: Tenants whose queues the request waits in; the first one started it.
        waiters: Number of callers that wait for the response.
        slot_granted: Future that completes when the request gets a slot; None while it does not queue.
        slot_holder: Namespace that the slot is charged to, while the request has one.
        in_flight: Whether the request is being sent. Otherwise it can be cancelled without a loss.
    """

    deadline: Deadline
    namespaces: list[str]
    waiters: int = 0
    slot_granted: asyncio.Future[None] | None = field(default=None, repr=False)
    slot_holder: str = INTERNAL_TENANT
    in_flight: bool = False

    @property
    def remaining(self) -> float:
        """Seconds left for more attempts; zero if no caller waits any more."""
        return self.deadline.remaining if self.waiters else 0.0

    def extend(self, deadline: Deadline) -> None:
        """Move the deadline to that of a new caller, if it is later."""
        self.deadline = max(self.deadline, deadline, key=lambda one: one.at)
