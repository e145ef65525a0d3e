"""Telemetry of the service: Prometheus metrics, OpenTelemetry traces and the log line of a measurement."""
