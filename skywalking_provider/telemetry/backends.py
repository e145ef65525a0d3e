"""Prometheus metrics of what the backends are asked."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from skywalking_provider.oap import Observer
from skywalking_provider.oap.observer import Circuit, Outcome, Source
from skywalking_provider.telemetry.shapes import DURATION_BUCKETS_SECONDS, NAMESPACE


class BackendMetrics(Observer):
    """Counts.

    Args:
        registry: Where to.
        backends: The closed set of names.
    """

    def __init__(self, registry: CollectorRegistry, backends: Iterable[str]) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, ("backend", *labels), namespace=NAMESPACE, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, ("backend", *labels), namespace=NAMESPACE, registry=registry)

        self._requests = counter("backend_requests", "Requests to an OAP, by how they ended.", "code")
        self._seconds = Histogram(
            "backend_request_duration_seconds",
            "Of one request to an OAP.",
            ("backend",),
            namespace=NAMESPACE,
            registry=registry,
            buckets=DURATION_BUCKETS_SECONDS,
        )
        self._inflight = gauge("backend_inflight", "Requests to an OAP on their way.")
        self._coalesced = counter("coalesced", "Questions that another's request, still on its way, answered too.")
        self._cache_hits = counter("cache_hits", "Questions that an answer kept from before answered.")
        self._retries = counter("retries", "Requests that failed and were sent again.")
        self._shed = counter("shed", "Requests refused because their turn would have come too late (maxRequests).")
        self._circuit = gauge("circuit_state", "1 for the state in which a backend's circuit is.", "state")
        self._skew = gauge("clock_skew_seconds", "How far an OAP's clock is ahead of ours.")
        for backend in backends:
            for each in (self._seconds, self._inflight, self._coalesced, self._cache_hits, self._retries, self._shed):
                each.labels(backend)
            for outcome in Outcome:
                self._requests.labels(backend, outcome)
            self.circuit_changed(backend, Circuit.CLOSED)

    def request_started(self, backend: str) -> None:
        """See `Observer`, as all below."""
        self._inflight.labels(backend).inc()

    def request_done(self, backend: str, outcome: Outcome, seconds: float) -> None:
        self._inflight.labels(backend).dec()
        self._requests.labels(backend, outcome).inc()
        self._seconds.labels(backend).observe(seconds)

    def request_avoided(self, backend: str, source: Source) -> None:
        (self._coalesced if source is Source.SINGLE_FLIGHT else self._cache_hits).labels(backend).inc()

    def retried(self, backend: str) -> None:
        self._retries.labels(backend).inc()

    def shed(self, backend: str) -> None:
        self._shed.labels(backend).inc()

    def circuit_changed(self, backend: str, state: Circuit) -> None:
        for one in Circuit:
            self._circuit.labels(backend, one).set(one is state)

    def clock_skew(self, backend: str, seconds: float) -> None:
        self._skew.labels(backend).set(seconds)
