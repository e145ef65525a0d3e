"""Closed forms of a fleet in its steady state: replicas, memory and OAP requests, and the limits of a controller."""

import math
from dataclasses import dataclass
from typing import Final

from bench.fleet.costs import Costs
from bench.fleet.model import INTERVAL_SECONDS, METRICS

BUSY: Final = 0.70
"""Largest share of a core that a replica uses."""
BUSY_AFTER_LOSS: Final = 0.90
"""Largest share while one replica is lost."""
MIN_REPLICAS: Final = 2
_PATCH_RESERVE: Final = 2  # Argo patches Rollouts with the same limit, and the first minute of an outage needs more
THREADS: Final = 30
DEFAULT_QPS: Final = 40.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Capacity for a number of rollouts.

    Attributes:
        per_second: Measurements per second.
        cores: CPU cores in use.
        replicas: Replicas.
        memory_mib: Resident memory of all replicas.
        oap_requests: OAP requests per second if each rollout has its own service.
        qps: `--qps` of the controllers in total.
    """

    per_second: float
    cores: float
    replicas: int
    memory_mib: float
    oap_requests: float
    qps: int


def cpu_ms(costs: Costs, *, judged: bool) -> float:
    """Return the CPU time of a measurement that shares no response."""
    return costs.uncached_ms + (costs.judged_extra_ms if judged else 0.0)


def count_replicas(cores: float) -> int:
    """Return the replicas for a load, so that neither all nor all but one are too busy."""
    return max(MIN_REPLICAS, math.ceil(cores / BUSY), math.ceil(cores / BUSY_AFTER_LOSS) + 1)


def plan_capacity(costs: Costs, rollouts: int, *, judged: bool) -> Plan:
    """Return the capacity for rollouts with five metrics a minute, each with its own service."""
    per_second = rollouts * METRICS / INTERVAL_SECONDS
    cores = per_second * cpu_ms(costs, judged=judged) / 1000
    replicas = count_replicas(cores)
    in_flight = min(per_second * costs.oap_ms / 1000, THREADS * METRICS)
    return Plan(
        per_second=per_second,
        cores=cores,
        replicas=replicas,
        memory_mib=replicas * costs.idle_mib + in_flight * costs.in_flight_mib,
        oap_requests=per_second,
        qps=math.ceil(max(DEFAULT_QPS, _PATCH_RESERVE * rollouts / INTERVAL_SECONDS)),
    )


def workers_runs_per_minute(threads: int, latency_seconds: float) -> float:
    """Return the runs that a controller's workers measure in a minute. A worker waits for the slowest metric."""
    return 60 * threads / latency_seconds
