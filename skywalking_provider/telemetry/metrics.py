"""Prometheus metrics: what was measured, by closed sets of labels that are there from the start."""

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
from skywalking_provider.telemetry.outcomes import NO_REASON, outcomes

NAMESPACE = "skywalking_analysis"
NO_BACKEND = "-"
"""The backend of a measurement whose block selects none."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)


class Metrics:
    """The measurements, counted.

    Args:
        backends: The names of the configured backends: the closed set of that label.
    """

    def __init__(self, backends: Iterable[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for every series, with the time of its making
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        Info("build", "Version of the provider.", namespace=NAMESPACE, registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        self._measurements = Counter(
            "measurements",
            "Answers to Argo; one measurement that waits has several, all but the last Running.",
            ("phase", "reason", "backend"),
            namespace=NAMESPACE,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "measurement_duration_seconds",
            "From the question to the answer.",
            ("backend",),
            namespace=NAMESPACE,
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._last = Gauge(
            "last_measurement_timestamp_seconds",
            "When Argo last got an answer.",
            namespace=NAMESPACE,
            registry=self.registry,
        )
        for backend in (*backends, NO_BACKEND):
            self._seconds.labels(backend)
            for phase, reason in outcomes():
                self._measurements.labels(phase, reason, backend)

    def measured(self, record: Record) -> None:
        """Count one answer."""
        backend = record.trail.backend or NO_BACKEND
        self._measurements.labels(record.measurement.phase, record.reason or NO_REASON, backend).inc()
        self._seconds.labels(backend).observe(record.seconds)
        self._last.set_to_current_time()
