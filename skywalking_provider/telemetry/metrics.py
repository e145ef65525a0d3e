"""Prometheus metrics of the service. Label values are closed sets, so every series exists from the start."""

import platform
from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from skywalking_provider import __version__
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.analysis.outcomes import NO_REASON, phase_reason_pairs
from skywalking_provider.oap import Observer
from skywalking_provider.oap.observer import Circuit, EventOutcome, Outcome, Source

NO_BACKEND = "-"
"""Label value for measurements whose block selects no backend."""

_NAMESPACE = "skywalking_analysis"
_LAG_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of the event loop's lag: from usual callbacks (5 ms) to the longest time that a bridge waits."""
_DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
"""Buckets of durations: from a cache hit (1 ms) to the longest time that a bridge waits (15 s)."""


class ServiceMetrics:
    """The metric registry of the service, with the metrics of measurements and of backends.

    Args:
        backends: Names of the configured backends; the closed set of the label `backend`.
        now: Wall clock.
        lost_log_lines: Function that returns the number of log lines lost since the start.

    Attributes:
        registry: Registry with all metrics.
        observer: Observer that counts the requests to the backends.
    """

    def __init__(
        self, backends: Iterable[str], now: Callable[[], datetime], lost_log_lines: Callable[[], int] = lambda: 0
    ) -> None:
        backends = tuple(backends)
        self._now = now
        disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the number of series
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        Info("build", "Version of the provider.", namespace=_NAMESPACE, registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        self._measurements = Counter(
            "measurements",
            "Measurement responses to Argo; a pending measurement has several, all but the last with phase Running.",
            ("phase", "reason", "backend"),
            namespace=_NAMESPACE,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "measurement_duration_seconds",
            "Time from Argo's request to the response.",
            ("backend",),
            namespace=_NAMESPACE,
            registry=self.registry,
            buckets=_DURATION_BUCKETS_SECONDS,
        )
        self._last_measurement = Gauge(
            "last_measurement_timestamp_seconds",
            "Unix time of the last response to Argo; 0 before the first.",
            namespace=_NAMESPACE,
            registry=self.registry,
        )
        self.registry.register(_LostLogLines(lost_log_lines))
        self._event_loop_lag = Histogram(
            "event_loop_lag_seconds",
            "Lateness of a timer that expires four times in a second. All measurements wait as long.",
            namespace=_NAMESPACE,
            registry=self.registry,
            buckets=_LAG_BUCKETS_SECONDS,
        )
        for backend in (*backends, NO_BACKEND):
            self._seconds.labels(backend)
            for phase, reason in phase_reason_pairs():
                self._measurements.labels(phase, reason, backend)
        self.observer = BackendMetrics(self.registry, backends)

    def count_measurement(self, event: MeasurementEvent) -> None:
        """Count one measurement event."""
        backend = event.details.backend or NO_BACKEND
        self._measurements.labels(event.measurement.phase, event.reason or NO_REASON, backend).inc()
        self._seconds.labels(backend).observe(event.seconds)
        self._last_measurement.set(self._now().timestamp())

    def observe_event_loop_lag(self, seconds: float) -> None:
        """Record how late a timer of the event loop was."""
        self._event_loop_lag.observe(seconds)


class BackendMetrics(Observer):
    """Metrics of the requests to the backends.

    Args:
        registry: Registry that the metrics are added to.
        backends: Names of the configured backends.
    """

    def __init__(self, registry: CollectorRegistry, backends: Iterable[str]) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, ("backend", *labels), namespace=_NAMESPACE, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, ("backend", *labels), namespace=_NAMESPACE, registry=registry)

        self._requests = counter("backend_requests", "HTTP requests to an OAP, by outcome.", "code")
        self._seconds = Histogram(
            "backend_request_duration_seconds",
            "Duration of one HTTP request to an OAP.",
            ("backend",),
            namespace=_NAMESPACE,
            registry=registry,
            buckets=_DURATION_BUCKETS_SECONDS,
        )
        self._inflight = gauge("backend_inflight", "HTTP requests to an OAP in flight.")
        self._coalesced = counter("coalesced", "Requests that shared another request in flight (single flight).")
        self._cache_hits = counter("cache_hits", "Requests served from the response cache or the verdict cache.")
        self._retries = counter("retries", "Requests that failed and were retried.")
        self._shed = counter("shed", "Requests rejected because their wait would exceed the deadline (maxRequests).")
        self._circuit = gauge("circuit_state", "1 for the current state of a backend's circuit breaker.", "state")
        self._events = counter(
            "events", "Events for the event API of an OAP, by outcome; all but `sent` are lost.", "code"
        )
        self._skew = gauge("clock_skew_seconds", "Offset of an OAP's clock; positive if it is ahead of the provider.")
        for backend in backends:
            for each in (self._seconds, self._inflight, self._coalesced, self._cache_hits, self._retries, self._shed):
                each.labels(backend)
            for outcome in Outcome:
                self._requests.labels(backend, outcome)
            for event_outcome in EventOutcome:
                self._events.labels(backend, event_outcome)
            self.circuit_changed(backend, Circuit.CLOSED)

    def request_started(self, backend: str) -> None:
        """Increment the requests in flight."""
        self._inflight.labels(backend).inc()

    def request_done(self, backend: str, outcome: Outcome, seconds: float) -> None:
        """Count a finished request and record its duration."""
        self._inflight.labels(backend).dec()
        self._requests.labels(backend, outcome).inc()
        self._seconds.labels(backend).observe(seconds)

    def request_avoided(self, backend: str, source: Source) -> None:
        """Count a request that single flight or a cache made unnecessary."""
        (self._coalesced if source is Source.SINGLE_FLIGHT else self._cache_hits).labels(backend).inc()

    def retried(self, backend: str) -> None:
        """Count a retry."""
        self._retries.labels(backend).inc()

    def shed(self, backend: str) -> None:
        """Count a request that was rejected by load shedding."""
        self._shed.labels(backend).inc()

    def circuit_changed(self, backend: str, state: Circuit) -> None:
        """Set the state of the circuit breaker."""
        for one in Circuit:
            self._circuit.labels(backend, one).set(one is state)

    def events_done(self, backend: str, outcome: EventOutcome, count: int = 1) -> None:
        """Count events that were sent or dropped."""
        self._events.labels(backend, outcome).inc(count)

    def clock_skew(self, backend: str, seconds: float) -> None:
        """Set the offset of the OAP's clock."""
        self._skew.labels(backend).set(seconds)


class _LostLogLines(Collector):
    """Counter that reads the number of lost lines when it is scraped."""

    def __init__(self, lost_lines: Callable[[], int]) -> None:
        self._lost_lines = lost_lines

    def collect(self) -> Iterable[Metric]:
        """Return the present number."""
        yield CounterMetricFamily(
            f"{_NAMESPACE}_log_lines_lost",
            "Log lines lost because standard error was not read in time, or failed.",
            value=self._lost_lines(),
        )
