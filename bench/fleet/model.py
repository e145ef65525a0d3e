"""Parameters of a simulated fleet. Defaults of the product are read from its configuration, not repeated."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from skywalking_provider.config.backend import BackendConfig, CacheConfig

BACKEND: Final = BackendConfig(url="http://oap:12800")
CALL_SECONDS: Final = 14.5  # --run-timeout less the reserve of the bridge
RETRY_ATTEMPTS: Final = 5  # maxAttempts of the bridge's retry policy; the next four are of it, too
RETRY_FIRST_SECONDS: Final = 0.1
RETRY_MAX_SECONDS: Final = 1.0
RETRY_FACTOR: Final = 2
RESUME_SECONDS: Final = 5.0  # of a measurement that found no replica
ROLLOUTS: Final = 13_000
METRICS: Final = 5
INTERVAL_SECONDS: Final = 60.0


class Arrival(StrEnum):
    """Due times of the first measurements of all runs."""

    SPREAD = "spread over the minute"
    MINUTE_START = "all at the minute's start"


class Placement(StrEnum):
    """Caches and balancing of the replicas."""

    ROUND_ROBIN = "own caches, round robin"
    SHARED_CACHE = "cache shared by the replicas"
    AFFINITY = "own caches, affinity by service"


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU times of the service in seconds.

    Attributes:
        uncached: Of a measurement that sends an OAP request.
        shared: Of a measurement whose response is cached.
        judged: Of the judgement beyond a threshold; 0 for thresholded blocks.
        lookup: Of one round trip to a shared cache.
    """

    uncached: float
    shared: float
    judged: float = 0.0
    lookup: float = 0.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet and its load.

    Attributes:
        cpu: CPU times.
        oap_seconds: Service time of an OAP request.
        caller_seconds: Latency of a call outside of the service.
        reads: OAP requests for the metrics of one run that shares no response.
        rollouts: Runs; each measures its metrics once per interval, in parallel.
        services: Services that the runs are spread over.
        metrics: Metrics of a run.
        replicas: Replicas of the service, one core each.
        oaps: OAPs behind the backend's address.
        oap_workers: Requests that one OAP processes at a time.
        controllers: Argo controllers, each with a part of the runs.
        threads: `--analysis-threads` of a controller.
        patches: Patches of AnalysisRuns per second of a controller (`--qps`).
        patch_burst: `--burst` of a controller.
        arrival: Due times of the first measurements.
        placement: Caches and balancing.
        cache: TTLs of responses and verdicts.
        seed: Seed of all random numbers.
    """

    cpu: Cpu
    oap_seconds: float
    caller_seconds: float = 0.0
    reads: int = 4
    rollouts: int = ROLLOUTS
    services: int = ROLLOUTS
    metrics: int = METRICS
    replicas: int = 4
    oaps: int = 2
    oap_workers: int = 16
    controllers: int = 1
    threads: int = 30
    patches: float = 400.0
    patch_burst: int = 800
    arrival: Arrival = Arrival.SPREAD
    placement: Placement = Placement.ROUND_ROBIN
    cache: CacheConfig = field(default_factory=CacheConfig)
    seed: int = 1

    @property
    def measurements_per_second(self) -> float:
        """Measurements that are due per second."""
        return self.rollouts * self.metrics / INTERVAL_SECONDS


@dataclass(frozen=True, slots=True)
class ReplicaLoss:
    """Loss of one replica.

    Attributes:
        at: Time of the loss.
        unnoticed: Seconds until the bridge closes the connection; 0 if the process ended and its kernel said so.
        away: Seconds until a replacement gets calls.
    """

    at: float
    unnoticed: float
    away: float


@dataclass(frozen=True, slots=True)
class OapLoss:
    """Loss of OAPs.

    Attributes:
        at: Time of the loss.
        away: Seconds until they are back.
        count: Lost OAPs.
        hangs: Whether requests get no response at all; otherwise connections are refused. Only if all OAPs are lost.
    """

    at: float
    away: float
    count: int
    hangs: bool = False
