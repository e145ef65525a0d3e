"""OpenTelemetry tracing: a span for every call of a bridge, with a child span for every request to an OAP.

Trace context is propagated by the W3C `traceparent` header, from the bridge and to the OAP. Both ends use
OpenTelemetry's own instrumentation. The module is imported only if tracing is enabled, to save memory and start time.
"""

import asyncio
import os
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from skywalking_provider import __version__
from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.model import Phase

_SERVICE_NAME = "skywalking-provider"
_MESSAGE_ATTRIBUTES = frozenset({"exception.message", "exception.stacktrace"})
_SHUTDOWN_SECONDS = 3.0  # to export the last spans if no collector accepts them


@asynccontextmanager
async def open_tracing() -> AsyncIterator[grpc.aio.ServerInterceptor]:
    """Enable tracing until the context ends.

    Yields:
        Interceptor for a gRPC server that starts a span for each call, except health checks and streams of
        measurements. The service rejects the latter, which the interceptor could not call.
    """
    untraced = filters.any_of(filters.health_check(), filters.method_name("Measure"))
    provider = TracerProvider(resource=Resource.create(_resource_attributes()), shutdown_on_exit=False)
    processor = BatchSpanProcessor(RedactingSpanExporter(_build_exporter()))
    provider.add_span_processor(processor)
    requests = AioHttpClientInstrumentor()
    requests.instrument(tracer_provider=provider)
    try:
        yield aio_server_interceptor(  # type: ignore[no-untyped-call]
            tracer_provider=provider, filter_=filters.negate(untraced)
        )
    finally:
        requests.uninstrument()
        # The processor's public shutdown waits 30 s for an unavailable collector.
        await asyncio.to_thread(processor._batch_processor.shutdown, int(1000 * _SHUTDOWN_SECONDS))  # noqa: SLF001


class RedactingSpanExporter(SpanExporter):
    """Exporter that removes exception messages from spans: an OAP may repeat credentials in them.

    The type of the exception stays. The log has the message, redacted.

    Args:
        exporter: Exporter that sends the spans.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans without exception messages."""
        return self._exporter.export([_remove_messages(span) for span in spans])

    def shutdown(self) -> None:
        """Shut down the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export the buffered spans."""
        return self._exporter.force_flush(timeout_millis)


def _remove_messages(span: ReadableSpan) -> ReadableSpan:
    if not span.events:
        return span
    events = [
        Event(
            one.name,
            {key: value for key, value in (one.attributes or {}).items() if key not in _MESSAGE_ATTRIBUTES},
            one.timestamp,
        )
        for one in span.events
    ]
    return ReadableSpan(
        span.name,
        span.context,
        span.parent,
        span.resource,
        span.attributes,
        events,
        span.links,
        span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def set_span_attributes(event: MeasurementEvent) -> None:
    """Set the attributes and the status of a measurement on the current span."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    measurement, run, details = event.measurement, event.run, event.details
    attributes = {
        "argo.namespace": run.namespace,
        "argo.analysisrun": run.name,
        "argo.rollout": run.owner_name if run.owner_kind == "Rollout" else "",
        "argo.metric": event.metric.name,
        "argo.measurement.phase": measurement.phase.value,
        "skywalking.reason": event.reason or "",
        "skywalking.backend": details.backend,
        "skywalking.window": details.window.buckets if details.window else None,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value not in ("", None)})
    if measurement.phase is Phase.ERROR:
        span.set_status(trace.StatusCode.ERROR, event.reason or "")


def add_trace_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the IDs of the current trace and span to a log line (a structlog processor)."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _resource_attributes() -> dict[str, str]:
    attributes = {"service.version": __version__}
    return attributes if "OTEL_SERVICE_NAME" in os.environ else attributes | {"service.name": _SERVICE_NAME}


def _build_exporter() -> SpanExporter:
    """Build the exporter for OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL; it reads the other variables itself."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if (protocol or "").strip().lower() == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as HttpExporter,
    )

    return HttpExporter()
