"""OpenTelemetry: a span for every call of a bridge, and one for every request to an OAP in it.

The trace of the bridge goes on in ours, and ours goes on in the OAP's, by the W3C's `traceparent`. Both ends are
OpenTelemetry's own instrumentation. Imported only where traces are wanted: it costs memory and time to start.
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
_SHUTDOWN_SECONDS = 3.0  # for the last spans, where nobody takes them


@asynccontextmanager
async def open_tracing() -> AsyncIterator[grpc.aio.ServerInterceptor]:
    """Trace for as long as the context lasts.

    Yields:
        What a gRPC server needs to begin a span with each call; health checks have none.
    """
    provider = TracerProvider(resource=Resource.create(_resource_attributes()), shutdown_on_exit=False)
    processor = BatchSpanProcessor(RedactingSpanExporter(_build_exporter()))
    provider.add_span_processor(processor)
    requests = AioHttpClientInstrumentor()
    requests.instrument(tracer_provider=provider)
    try:
        yield aio_server_interceptor(  # type: ignore[no-untyped-call]
            tracer_provider=provider, filter_=filters.negate(filters.health_check())
        )
    finally:
        requests.uninstrument()
        # The processor's own shutdown waits half a minute for a collector that is away.
        await asyncio.to_thread(processor._batch_processor.shutdown, int(1000 * _SHUTDOWN_SECONDS))  # noqa: SLF001


class RedactingSpanExporter(SpanExporter):
    """Sends spans with the types of their exceptions, without the words: they may be an OAP's, with our credentials.

    The log has the words, masked.

    Args:
        exporter: Sends them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        return self._exporter.export([_remove_messages(span) for span in spans])

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is kept."""
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
    """Tell the span of a call what came of it."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    measurement, run, trail = event.measurement, event.run, event.details
    facts = {
        "argo.namespace": run.namespace,
        "argo.analysisrun": run.name,
        "argo.rollout": run.owner_name if run.owner_kind == "Rollout" else "",
        "argo.metric": event.metric.name,
        "argo.measurement.phase": measurement.phase.value,
        "skywalking.reason": event.reason or "",
        "skywalking.backend": trail.backend,
        "skywalking.window": trail.window.buckets if trail.window else None,
    }
    span.set_attributes({name: fact for name, fact in facts.items() if fact not in ("", None)})
    if measurement.phase is Phase.ERROR:
        span.set_status(trace.StatusCode.ERROR, event.reason or "")


def add_trace_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: in whose trace a line was logged."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _resource_attributes() -> dict[str, str]:
    own = {"service.version": __version__}
    return own if "OTEL_SERVICE_NAME" in os.environ else own | {"service.name": _SERVICE_NAME}


def _build_exporter() -> SpanExporter:
    """By OTEL_EXPORTER_OTLP_PROTOCOL, or that of traces; the exporters read the other variables themselves."""
    named = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if (named or "").strip().lower() == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as HttpExporter,
    )

    return HttpExporter()
