"""Reporters of all backends with `events.enabled`, as one measurement listener."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from skywalking_provider.analysis.events import MeasurementEvent
from skywalking_provider.config import BackendConfig
from skywalking_provider.model import Deadline
from skywalking_provider.oap import BackendRegistry, Observer
from skywalking_provider.oap.transport.credentials import redactor_for
from skywalking_provider.oap.transport.event_sender import EventSender
from skywalking_provider.oap.transport.http_event_sender import HttpEventSender
from skywalking_provider.reporting.reporter import EventReporter, FindLayer


class EventReporters:
    """Reporters by the name of their backend."""

    def __init__(self, reporters: Mapping[str, EventReporter]) -> None:
        self._reporters = reporters

    def report(self, event: MeasurementEvent) -> None:
        """Queue the events of a measurement if its backend has a reporter."""
        reporter = self._reporters.get(event.details.backend)
        if reporter is not None:
            reporter.report(event)

    async def flush(self, seconds: float) -> None:
        """Send what is queued within some seconds."""
        await asyncio.gather(*(one.flush(seconds) for one in self._reporters.values()))


@asynccontextmanager
async def open_reporters(
    configs: Mapping[str, BackendConfig],
    backends: BackendRegistry,
    observer: Observer,
    new_sender: Callable[[str, BackendConfig], EventSender] | None = None,
) -> AsyncIterator[EventReporters]:
    """Report events until the context ends.

    Args:
        configs: Configurations of the backends by name.
        backends: Connected backends, for the layers of services.
        observer: Receives how events end.
        new_sender: Builds the sender of a backend; by default the one that its configuration selects.
    """
    async with AsyncExitStack() as stack:
        reporters: dict[str, EventReporter] = {}
        for name, config in configs.items():
            if not config.events.enabled:
                continue
            reporter = EventReporter(
                name,
                (new_sender or build_sender)(name, config),
                _layers_of(name, config, backends),
                observer,
                timeout=config.timeout.total_seconds(),
                max_instances=config.events.max_instances,
                redact=redactor_for([config]),
            )
            stack.push_async_callback(reporter.close)
            reporter.start()
            reporters[name] = reporter
        yield EventReporters(reporters)


def build_sender(name: str, config: BackendConfig) -> EventSender:
    """Return the sender of a backend: over gRPC if `events.address` is set, else over HTTP."""
    if config.events.address is None:
        return HttpEventSender(name, config)
    from skywalking_provider.oap.transport.grpc_event_sender import GrpcEventSender  # noqa: PLC0415 - only if it is used

    return GrpcEventSender(name, config, config.events.address)


def _layers_of(name: str, config: BackendConfig, backends: BackendRegistry) -> FindLayer:
    """Return the function that finds layers in the backend's inventory, which measurements share."""

    async def find_layer(namespace: str, service: str) -> str:
        connection, deadline = (
            backends.select(name, None, namespace).connection,
            Deadline.after(2 * config.timeout.total_seconds()),
        )
        services = await connection.services(deadline)
        if service not in services.by_name:  # the list may be older than the service
            services = await connection.services(deadline, fresh=True)
        listed = sorted(services.by_name.get(service, ()), key=lambda one: not one.normal)
        return next((layer for one in listed for layer in one.layers), "")

    return find_layer
