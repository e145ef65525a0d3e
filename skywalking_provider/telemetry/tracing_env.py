"""Whether traces are wanted, by OpenTelemetry's own variables. Nothing of it is imported to find out."""

from collections.abc import Mapping
from importlib.util import find_spec

EXTRA = "skywalking-provider[otel]"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_REQUIRED_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp", "opentelemetry.instrumentation.grpc")


def tracing_enabled(environment: Mapping[str, str]) -> bool:
    """Whether an endpoint is named, and neither the SDK nor the exporter is switched off."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "none"
    )


def tracing_installed() -> bool:
    """Whether the packages of the extra are there."""
    try:
        return all(find_spec(name) for name in _REQUIRED_PACKAGES)
    except ModuleNotFoundError:
        return False
