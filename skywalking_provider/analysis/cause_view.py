"""View of a cause for people and programs: its endpoints with their numbers, the canary beside stable. No I/O."""

from dataclasses import dataclass
from typing import Final

from skywalking_provider.analysis.message import format_calls, format_thousands
from skywalking_provider.queries.causes.endpoints import EndpointCause, EndpointShare, Traffic
from skywalking_provider.queries.causes.target import Contribution

_TITLES: Final = {
    Contribution.FAILURES: "Failure rate by endpoint",
    Contribution.TIME: "Average response time by endpoint",
}
_BYTES_OF_ENDPOINT: Final = 600


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint of a cause.

    Attributes:
        name: Name of the endpoint.
        canary: Length of the canary's bar, from 0 to 1.
        canary_text: Numbers of the canary.
        stable: Length of stable's bar; None without stable.
        stable_text: Numbers of stable; empty without stable.
    """

    name: str
    canary: float
    canary_text: str
    stable: float | None
    stable_text: str


@dataclass(frozen=True, slots=True)
class CauseView:
    """Endpoints behind a Failed verdict.

    Attributes:
        title: Title of the bars.
        service_wide: Whether the numbers have calls of others than the canary.
        endpoints: Endpoints, those that added most first.
    """

    title: str
    service_wide: bool
    endpoints: tuple[EndpointView, ...]

    @property
    def size(self) -> int:
        """Approximate memory use in bytes."""
        return 400 + sum(_BYTES_OF_ENDPOINT + len(one.name) for one in self.endpoints)


def build_cause_view(cause: EndpointCause) -> CauseView:
    """Build the view of a cause."""
    sides = [side for one in cause.endpoints for side in (one.canary, one.stable) if side]
    longest = max((side.per_call for side in sides), default=0.0)
    return CauseView(
        _TITLES[cause.contribution],
        cause.service_wide,
        tuple(_build_endpoint(one, cause, longest) for one in cause.endpoints),
    )


def build_cause_json(cause: EndpointCause, max_endpoints: int | None = None) -> dict[str, object]:
    """Build the JSON object of a cause: names and numbers only.

    Args:
        cause: The cause.
        max_endpoints: Maximum number of endpoints; None for all.
    """
    return {
        "ranking": cause.contribution.value,
        "serviceWide": cause.service_wide,
        **_traffic_json(cause.total, cause.contribution),
        "endpoints": [
            {
                "name": one.name,
                **_traffic_json(one.canary, cause.contribution),
                "stable": None if one.stable is None else _traffic_json(one.stable, cause.contribution),
            }
            for one in cause.endpoints[:max_endpoints]
        ],
    }


def _build_endpoint(one: EndpointShare, cause: EndpointCause, longest: float) -> EndpointView:
    def length(side: Traffic) -> float:
        return side.per_call / longest if longest else 0.0

    return EndpointView(
        one.name,
        length(one.canary),
        _describe(one.canary, cause.contribution),
        None if one.stable is None else length(one.stable),
        "" if one.stable is None else _describe(one.stable, cause.contribution),
    )


def _describe(side: Traffic, contribution: Contribution) -> str:
    if not side.calls:
        return "no calls"
    if contribution is Contribution.FAILURES:
        return f"{format_thousands(round(side.amount))} of {format_calls(side.calls)} failed"
    return f"{format_thousands(round(side.per_call))} ms, {format_calls(side.calls)}"


def _traffic_json(side: Traffic, contribution: Contribution) -> dict[str, object]:
    if contribution is Contribution.FAILURES:
        return {"calls": side.calls, "failures": round(side.amount)}
    return {"calls": side.calls, "averageMs": round(side.per_call, 1) if side.calls else None}
