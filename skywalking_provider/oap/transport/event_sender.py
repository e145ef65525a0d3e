"""Interface of a sender: one request with some events to the event API of an OAP."""

from collections.abc import Sequence
from typing import Any, Protocol


class EventSender(Protocol):
    """Sends events to one OAP. Implementations are safe to use again after an error."""

    async def send(self, events: Sequence[dict[str, Any]], seconds: float) -> None:
        """Send events, each in the JSON form of SkyWalking's protobuf message.

        Args:
            events: Events of one request.
            seconds: Time for the request.

        Raises:
            BackendUnavailableError: No usable response; another attempt may succeed.
            ProviderError: The OAP rejects the events.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
