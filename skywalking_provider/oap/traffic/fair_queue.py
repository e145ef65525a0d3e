"""Fair queue: one FIFO queue per namespace, served round robin. No I/O."""

from collections import OrderedDict

from skywalking_provider.oap.traffic.shared_request import SharedRequest


class FairQueue:
    """Requests that wait for a slot, queued per namespace.

    Each request takes one slot, so that round robin over the namespaces is fair. A request that several namespaces wait
    for is in the queue of each and leaves all of them at once.
    """

    def __init__(self) -> None:
        # State: the queues by namespace, the next one to be served first. No queue is empty.
        self._queues: OrderedDict[str, dict[SharedRequest, None]] = OrderedDict()
        self._queued_requests: set[SharedRequest] = set()

    def __len__(self) -> int:
        return len(self._queued_requests)

    def __contains__(self, shared_request: object) -> bool:
        return shared_request in self._queued_requests

    def add(self, shared_request: SharedRequest) -> None:
        """Append a request to the queues of its namespaces."""
        self._queued_requests.add(shared_request)
        for namespace in shared_request.namespaces:
            self._queues.setdefault(namespace, {})[shared_request] = None

    def remove(self, shared_request: SharedRequest) -> None:
        """Remove a request from all queues."""
        self._queued_requests.discard(shared_request)
        for namespace in shared_request.namespaces:
            queue = self._queues.get(namespace, {})
            queue.pop(shared_request, None)
            if not queue:
                self._queues.pop(namespace, None)

    def next(self) -> SharedRequest | None:
        """Remove and return the first request of the next namespace, which moves behind the others."""
        if not self._queues:
            return None
        namespace, queue = next(iter(self._queues.items()))
        shared_request = next(iter(queue))
        self._queues.move_to_end(namespace)
        self.remove(shared_request)
        return shared_request

    def position(self, namespace: str) -> int:
        """Return how many requests are served before a new one of a namespace.

        It is an upper bound: a namespace is served once for each request of this one, and it may have fewer.
        """
        own = len(self._queues.get(namespace, ()))
        return own + sum(min(len(queue), own + 1) for other, queue in self._queues.items() if other != namespace)
