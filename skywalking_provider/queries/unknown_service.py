"""Calls that an OAP has not attributed to a service yet.

An OAP that is fed by Envoy's access logs counts the calls of a new pod for the service `UNKNOWN` until its list of pods
is refreshed, which takes up to three minutes.
"""

from typing import Final

from skywalking_provider.errors import ProviderError
from skywalking_provider.model import Deadline, Entity, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.metric_values import Role, SeriesRequest, decode_calls
from skywalking_provider.support.counts import format_count

UNKNOWN: Final = "UNKNOWN"
_CALLS: Final = "service_cpm"


async def describe_unknown_calls(backend: Backend, window: Window, deadline: Deadline) -> str:
    """Return a description of the calls of the service UNKNOWN in a window; empty if it has none.

    It explains missing data, and the measurement does not need it: an error of its requests is ignored.
    """
    try:
        services = await backend.connection.services(deadline)
        if UNKNOWN not in services.by_name or not window.buckets:
            return ""
        service = services.by_name[UNKNOWN][0]
        request = SeriesRequest("u0", _CALLS, Entity(service.name, service.normal), role=Role.CALLS)
        mqe = (await backend.connection.features(deadline)).supports_mqe
        batch = await backend.series([request], window, deadline, mqe=mqe)
        calls = sum(count or 0 for count in decode_calls(batch.data, request, window, mqe=mqe))
    except ProviderError:
        return ""
    return format_unknown_calls(calls)


def format_unknown_calls(calls: int) -> str:
    """Return the description for messages."""
    if not calls:
        return ""
    count = format_count(calls, "call")
    return f"{UNKNOWN} has {count} in these minutes: the OAP knows a new pod's name only after about 3 minutes"
