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
from skywalking_provider.record import Record
from skywalking_provider.telemetry.backends import BackendMetrics
from skywalking_provider.telemetry.outcomes import NO_REASON, outcomes
from skywalking_provider.telemetry.shapes import NAMESPACE, SECONDS

NO_BACKEND = "-"
"""The backend of a measurement whose block selects none."""


class Metrics:
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
            buckets=SECONDS,
        )
        self._last = Gauge(
            "last_measurement_timestamp_seconds",
            "When Argo last got an answer; 0 before the first.",
            namespace=NAMESPACE,
            registry=self.registry,
        )
        for backend in (*backends, NO_BACKEND):
            self._seconds.labels(backend)
            for phase, reason in outcomes():
                self._measurements.labels(phase, reason, backend)
        self.observer = BackendMetrics(self.registry, backends)

    def measured(self, record: Record) -> None:
        """Count one answer."""
        backend = record.trail.backend or NO_BACKEND
        self._measurements.labels(record.measurement.phase, record.reason or NO_REASON, backend).inc()
        self._seconds.labels(backend).observe(record.seconds)
        self._last.set_to_current_time()
