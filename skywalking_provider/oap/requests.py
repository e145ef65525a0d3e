"""Requests to one OAP, each observed from its start to its end."""

import time
from typing import Any

from skywalking_provider.model import Deadline
from skywalking_provider.oap.client import OapClient
from skywalking_provider.oap.observer import Observer, outcome_of
from skywalking_provider.plan import Read


class Requests:
    """Asks one OAP.

    Args:
        name: Of the backend.
        client: Sends one request.
        observer: Is told of each.
    """

    def __init__(self, name: str, client: OapClient, observer: Observer) -> None:
        self._name = name
        self._client = client
        self._observer = observer

    async def ask(self, read: Read, deadline: Deadline) -> dict[str, Any]:
        """The `data` of one answer. Raises as `OapClient.read`."""
        began = time.monotonic()
        ended_with: BaseException | None = None
        self._observer.request_started(self._name)
        try:
            return await self._client.read(read, deadline)
        except BaseException as error:
            ended_with = error
            raise
        finally:
            self._observer.request_done(self._name, outcome_of(ended_with), time.monotonic() - began)
