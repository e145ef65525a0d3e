"""Prometheus metrics of the service: closed sets of labels, whose series are all there from the start."""

import platform
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from skywalking_provider import __version__
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.analysis.outcomes import NO_REASON, phase_reason_pairs
from skywalking_provider.telemetry.backends import BackendMetrics
from skywalking_provider.telemetry.shapes import DURATION_BUCKETS_SECONDS, NAMESPACE

NO_BACKEND = "-"
"""The backend of a measurement whose block selects none."""


class ServiceMetrics:
    """The registry, and the measurements in it.

    Args:
        backends: The names of the configured backends: the closed set of that label.

    Attributes:
        registry: All metrics.
        observer: Counts what the backends are asked.
    """

    def __init__(self, backends: Iterable[str]) -> None:
        backends = tuple(backends)
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series each, with the time of its making
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        Info("build", "Version of the provider.", namespace=NAMESPACE, registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        self._measurements = Counter(
            "measurements",
            "Answers to Argo; a measurement that waits has several, all but the last of them Running.",
            ("phase", "reason", "backend"),
            namespace=NAMESPACE,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "measurement_duration_seconds",
            "From Argo's question to the answer.",
            ("backend",),
            namespace=NAMESPACE,
            registry=self.registry,
            buckets=DURATION_BUCKETS_SECONDS,
        )
        self._last_measurement = Gauge(
            "last_measurement_timestamp_seconds",
            "When Argo last got an answer; 0 before the first.",
            namespace=NAMESPACE,
            registry=self.registry,
        )
        for backend in (*backends, NO_BACKEND):
            self._seconds.labels(backend)
            for phase, reason in phase_reason_pairs():
                self._measurements.labels(phase, reason, backend)
        self.observer = BackendMetrics(self.registry, backends)

    def count_measurement(self, event: MeasurementEvent) -> None:
        """Count one answer."""
        backend = event.details.backend or NO_BACKEND
        self._measurements.labels(event.measurement.phase, event.reason or NO_REASON, backend).inc()
        self._seconds.labels(backend).observe(event.seconds)
        self._last_measurement.set_to_current_time()
