"""Cause of a Failed verdict: endpoints of its service, and what the canary itself reported."""

from dataclasses import dataclass

from skywalking_provider.queries.causes.endpoints import EndpointCause
from skywalking_provider.queries.causes.records import RecordSample


@dataclass(frozen=True, slots=True)
class Cause:
    """Cause of a Failed verdict; at least one of its parts is known.

    Attributes:
        endpoints: Endpoints of the service by their contribution; None if none contributed, or OAP has no metrics of
            them.
        records: Traces and error logs of the canary; None without any.
        trace_link: Pattern of a link to a trace; None without one.
        log_link: Pattern of a link to the logs; None without one.
        service: Name of the canary's service, for these links.
        service_id: Id of the service.
        layer: Layer of the service.
    """

    endpoints: EndpointCause | None = None
    records: RecordSample | None = None
    trace_link: str | None = None
    log_link: str | None = None
    service: str = ""
    service_id: str = ""
    layer: str = ""

    @property
    def size(self) -> int:
        """Characters of all texts."""
        return sum(part.size for part in (self.endpoints, self.records) if part)

    @property
    def items(self) -> int:
        """Number of endpoints, traces and logs."""
        endpoints = len(self.endpoints.endpoints) if self.endpoints else 0
        records = self.records
        return endpoints + (len(records.endpoints) + len(records.traces) + len(records.logs) if records else 0)
