"""Detection of tracing by OpenTelemetry's environment variables, without importing OpenTelemetry."""

from collections.abc import Mapping
from importlib.util import find_spec

EXTRA = "skywalking-provider[otel]"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_REQUIRED_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp", "opentelemetry.instrumentation.grpc")


def tracing_enabled(environment: Mapping[str, str]) -> bool:
    """Whether an OTLP endpoint is set, and neither the SDK nor the exporter is disabled."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "none"
    )


def tracing_installed() -> bool:
    """Whether the packages of the extra are installed."""
    try:
        return all(find_spec(name) for name in _REQUIRED_PACKAGES)
    except ModuleNotFoundError:
        return False
