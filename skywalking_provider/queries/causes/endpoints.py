"""Endpoints by their contribution to the failures or to the response time of a service. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.oap.api.endpoint_ranking import MAX_RANKED, RankedEndpoint
from skywalking_provider.queries.causes.target import Contribution
from skywalking_provider.queries.indicators.counts import FULL

_MAX_NAME: Final = 512  # characters; OAP stores 150 by default
_BADNESS: Final[Mapping[Contribution, Callable[[float], float]]] = {
    Contribution.FAILURES: lambda ratio: max(0.0, FULL - ratio) / FULL,
    Contribution.TIME: lambda milliseconds: milliseconds,
}
"""Contribution of one call, from the average of the metric that the worst endpoints are ranked by."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls of an endpoint or a service in a window.

    Attributes:
        calls: Number of calls.
        amount: Number of failed calls, or milliseconds of all calls.
    """

    calls: int = 0
    amount: float = 0.0

    @property
    def per_call(self) -> float:
        """Failure rate, or average response time in milliseconds; zero without calls."""
        return self.amount / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class EndpointShare:
    """Contribution of one endpoint.

    Attributes:
        name: Name of the endpoint.
        canary: Its calls in the canary's service.
        stable: Its calls in stable's service; None without another service.
        added: The part of the amount that is more than stable has per call; all of it without stable.
    """

    name: str
    canary: Traffic
    stable: Traffic | None
    added: float


@dataclass(frozen=True, slots=True)
class EndpointCause:
    """Endpoints that explain a Failed verdict.

    Attributes:
        contribution: Quantity that they are ranked by.
        total: Calls of the canary's service. Its amount is at least that of all endpoints here.
        endpoints: Endpoints with calls, those that added most first.
        service_wide: Whether the canary is a part of its service, so that the numbers have calls of others.
        beside_stable: Whether stable is another service, whose numbers are known.
        own_amount: What the canary contributed, if it is a part of its service and that is known.
    """

    contribution: Contribution
    total: Traffic
    endpoints: tuple[EndpointShare, ...]
    service_wide: bool = False
    beside_stable: bool = False
    own_amount: float | None = None

    @property
    def named(self) -> EndpointShare | None:
        """Endpoint that a message may name; None if no endpoint is certain.

        If others have calls in the numbers, too, half of what the canary contributed must be certain: all that others
        contributed may be at this endpoint.
        """
        first = self.first
        if first is None or not self.service_wide:
            return first
        if not self.own_amount:
            return None
        worst = max(self.endpoints, key=lambda one: one.canary.amount)
        of_others = max(0.0, self.total.amount - self.own_amount)
        return worst if 2 * (worst.canary.amount - of_others) >= self.own_amount else None

    @property
    def first(self) -> EndpointShare | None:
        """Endpoint that added most; None if no endpoint added anything."""
        return self.endpoints[0] if self.endpoints and self.endpoints[0].added > 0 else None

    @property
    def added(self) -> float:
        """Sum of the additions of all endpoints."""
        return sum(one.added for one in self.endpoints)

    @property
    def size(self) -> int:
        """Characters of all names."""
        return sum(len(one.name) for one in self.endpoints)


def choose_candidates(
    contribution: Contribution, worst: Sequence[RankedEndpoint], busiest: Sequence[RankedEndpoint], count: int
) -> tuple[str, ...]:
    """Choose the endpoints that may contribute most.

    The contribution of an endpoint is its average number of calls times its average per call. An endpoint that is
    missing in one of the rankings has at most the last value of it.

    Args:
        contribution: Quantity of interest.
        worst: First endpoints of the ranking by success rate, the lowest first, or by response time, the highest first.
        busiest: First endpoints of the ranking by calls, the highest first.
        count: Maximum number of endpoints.
    """
    bad = {one.name: _BADNESS[contribution](one.average) for one in worst[:MAX_RANKED]}
    calls = {one.name: one.average for one in busiest[:MAX_RANKED]}
    least_bad, least_calls = min(bad.values(), default=0.0), min(calls.values(), default=0.0)
    names = [name for name in dict.fromkeys((*bad, *calls)) if len(name) <= _MAX_NAME]
    names.sort(key=lambda name: (-bad.get(name, least_bad) * calls.get(name, least_calls), name))
    return tuple(names[:count])


def rank_endpoints(
    contribution: Contribution,
    canary: Mapping[str, Traffic],
    total: Traffic,
    stable: Mapping[str, Traffic] | None = None,
    stable_total: Traffic | None = None,
    *,
    service_wide: bool = False,
    own_amount: float | None = None,
) -> EndpointCause:
    """Rank the endpoints of the canary's service by what they added.

    Args:
        contribution: Quantity to rank by.
        canary: Endpoints of the canary's service.
        total: Calls of that service.
        stable: The same endpoints of stable's service; None without another service.
        stable_total: Calls of stable's service. It stands for the endpoints that stable has no calls of.
        service_wide: Whether the canary is a part of its service.
        own_amount: What the canary contributed, if it is a part of its service and that is known.
    """
    usual = stable_total.per_call if stable_total else 0.0
    shares = [
        _build_share(name, traffic, None if stable is None else stable.get(name, Traffic()), usual)
        for name, traffic in canary.items()
        if traffic.calls
    ]
    shares.sort(key=lambda one: (-one.added, -one.canary.amount, one.name))
    amount = max(total.amount, sum(one.canary.amount for one in shares))
    calls = max(total.calls, sum(one.canary.calls for one in shares))
    return EndpointCause(
        contribution,
        Traffic(calls, amount),
        tuple(shares),
        service_wide,
        beside_stable=stable is not None,
        own_amount=own_amount,
    )


def _build_share(name: str, canary: Traffic, stable: Traffic | None, usual: float) -> EndpointShare:
    per_call = 0.0 if stable is None else stable.per_call if stable.calls else usual
    return EndpointShare(name, canary, stable, max(0.0, canary.amount - per_call * canary.calls))
