"""Check of an OAP's event API: an empty report shows whether it is there and accepts the credentials."""

from skywalking_provider.config import BackendConfig
from skywalking_provider.errors import ProviderError
from skywalking_provider.reporting.reporters import build_sender
from skywalking_provider.tools.doctor.findings import Finding, ok, problem


async def check_events(name: str, config: BackendConfig, seconds: float) -> Finding:
    """Check the event API of a backend that has events enabled.

    Args:
        name: Name of the backend.
        config: Its configuration.
        seconds: Time for the request.
    """
    sender = build_sender(name, config)
    try:
        await sender.send((), seconds)
    except ProviderError as error:
        return problem(
            f"events are not accepted: {error.message}",
            error.hint or f"Check backends.{name}.events, the port of the OAP and its module receiver-event",
        )
    finally:
        await sender.close()
    return ok(f"it accepts events over {'gRPC' if config.events.address else 'HTTP'}")
