"""Tables of services that several rollouts share: OAP requests, and the worth of a cache that replicas share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.fleet.costs import Costs
from bench.fleet.model import ROLLOUTS, Placement
from bench.fleet.scenarios import LONG_TTL, SAMPLE_ROLLOUTS, SHARING, SHARING_REPLICAS
from bench.tables import ReportTable

Row = Mapping[str, Any]
_SCALE: Final = ROLLOUTS / SAMPLE_ROLLOUTS
_LONG_SECONDS: Final = LONG_TTL.response_ttl.total_seconds()


def sharing_table(rows: Sequence[Row]) -> ReportTable:
    """Return the OAP requests by sharing, replicas and caches."""
    most = SHARING_REPLICAS[-1]
    cells = [
        (
            f"{sharing}",
            *(f"{_requests(rows, sharing, replicas):,.0f}" for replicas in SHARING_REPLICAS),
            f"{_requests(rows, sharing, most, Placement.SHARED_CACHE):,.0f}",
            f"{_requests(rows, sharing, most, Placement.AFFINITY):,.0f}",
            f"{_requests(rows, sharing, most, ttl=_LONG_SECONDS):,.0f}",
        )
        for sharing in SHARING
    ]
    header = (
        "rollouts per service",
        *(f"{replicas} replica{'s' if replicas > 1 else ''}" for replicas in SHARING_REPLICAS),
        f"{most}, shared cache",
        f"{most}, affinity",
        f"{most}, `responseTtl` {_LONG_SECONDS:.0f}s",
    )
    return ReportTable(f"OAP requests/s of {ROLLOUTS:,} rollouts by sharing and caches", header, cells)


def _find(rows: Sequence[Row], sharing: int, replicas: int, placement: Placement, ttl: float) -> Row:
    return next(
        row
        for row in rows
        if (row["name"], row["replicas"], row["placement"], row["responseTtl"])
        == (f"{sharing}", replicas, placement.value, ttl)
    )


def _requests(
    rows: Sequence[Row],
    sharing: int,
    replicas: int,
    placement: Placement = Placement.ROUND_ROBIN,
    ttl: float = 7.0,
) -> float:
    requests: float = _find(rows, sharing, replicas, placement, ttl)["oapRequestsPerSecond"]
    return _SCALE * requests


def shared_cache_table(costs: Costs, rows: Sequence[Row], lookup_ms: float) -> ReportTable:
    """Return the savings of a shared cache and of affinity, and the cost of the cache."""
    replicas = SHARING_REPLICAS[-1]
    saved_ms = costs.uncached_ms - costs.shared_ms
    cells = []
    for sharing in SHARING:
        own, cached, affine = (_find(rows, sharing, replicas, one, 7.0) for one in Placement)
        saved = _SCALE * (own["oapRequestsPerSecond"] - cached["oapRequestsPerSecond"])
        lookups = _SCALE * cached["lookupsPerSecond"]
        cells.append(
            (
                f"{sharing}",
                f"{100 * saved / (_SCALE * own['oapRequestsPerSecond']):.0f} %",
                f"{100 * (1 - affine['oapRequestsPerSecond'] / own['oapRequestsPerSecond']):.0f} %",
                f"{lookups:,.0f}",
                f"{lookups * lookup_ms / 1000:.3f}",
                f"{saved * saved_ms / 1000:.2f}",
                f"{max(0.0, saved * saved_ms / lookups):.2f}",
            )
        )
    header = (
        "rollouts per service",
        "OAP requests saved by a shared cache",
        "by affinity",
        "lookups and stores/s",
        "cores for them, at least",
        "cores saved",
        "break-even of a lookup, ms",
    )
    return ReportTable(f"Shared cache and affinity beside own caches, {replicas} replicas", header, cells)
