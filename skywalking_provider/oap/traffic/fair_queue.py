"""Whose turn is next: one namespace after the other, each with its own line. Pure."""

from collections import OrderedDict

from skywalking_provider.oap.traffic.shared_request import SharedRequest


class FairQueue:
    """Errands that wait, in a line for each namespace; the namespaces take turns.

    Every request takes one slot, so that a turn is a request. An errand that several namespaces wait for stands in the
    line of each, and is served with the first of them.
    """

    def __init__(self) -> None:
        # The state: the lines by namespace, the next one's first. A line is never empty.
        self._queues: OrderedDict[str, dict[SharedRequest, None]] = OrderedDict()
        self._queued_requests: set[SharedRequest] = set()

    def __len__(self) -> int:
        return len(self._queued_requests)

    def __contains__(self, shared_request: object) -> bool:
        return shared_request in self._queued_requests

    def add(self, shared_request: SharedRequest) -> None:
        """Stand at the end of the lines of its namespaces."""
        self._queued_requests.add(shared_request)
        for namespace in shared_request.namespaces:
            self._queues.setdefault(namespace, {})[shared_request] = None

    def remove(self, shared_request: SharedRequest) -> None:
        """Leave all lines."""
        self._queued_requests.discard(shared_request)
        for namespace in shared_request.namespaces:
            line = self._queues.get(namespace, {})
            line.pop(shared_request, None)
            if not line:
                self._queues.pop(namespace, None)

    def next(self) -> SharedRequest | None:
        """The first of the next line leaves, and its namespace goes behind the others."""
        if not self._queues:
            return None
        namespace, line = next(iter(self._queues.items()))
        errand = next(iter(line))
        self._queues.move_to_end(namespace)
        self.remove(errand)
        return errand

    def position(self, namespace: str) -> int:
        """How many are served before one who comes now and stands in that namespace's line.

        At most: a namespace that is before it in the round takes a turn for each of its own.
        """
        own = len(self._queues.get(namespace, ()))
        return own + sum(min(len(line), own + 1) for other, line in self._queues.items() if other != namespace)
