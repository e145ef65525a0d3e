"""Simulated scenarios: steady load, the minute's start, shared services and losses. Each has a name for its row."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Final

from bench.fleet.costs import OAP_WORKERS, Costs
from bench.fleet.model import Arrival, Cpu, Fleet, OapLoss, Placement, ReplicaLoss
from bench.fleet.simulation import Result, simulate
from bench.fleet.tally import Outcome, quantile
from skywalking_provider.config.backend import CacheConfig

SHARING: Final = (1, 2, 5, 10, 50, 260)
SHARING_REPLICAS: Final = (1, 2, 4)
SAMPLE_ROLLOUTS: Final = 1_300
"""Rollouts of a cell of the sharing table: a tenth, because queries do not affect each other's caching."""
LONG_TTL: Final = CacheConfig.model_validate({"responseTtl": "27s"})
_LOSS_AT, _OUTAGE_SECONDS = 15.0, 300.0
PROBE_SECONDS: Final = 5.0  # of the chart's startupProbe: initialDelaySeconds and one period
RESOLVE_SECONDS: Final = 35.0  # the bridge resolves every 30 s, and CoreDNS caches for 5 s


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation.

    Attributes:
        table: Table that shows it.
        name: Its row there.
        fleet: The fleet.
        warm_up: Seconds before the counts.
        seconds: Seconds of the counts.
        losses: What is lost.
    """

    table: str
    name: str
    fleet: Fleet
    warm_up: float
    seconds: float
    losses: Sequence[ReplicaLoss | OapLoss] = ()


def build_fleet(costs: Costs, lookup_ms: float = 0.0, *, judged: bool = False) -> Fleet:
    """Return the fleet with the measured costs."""
    extra = costs.judged_extra_ms / 1000 if judged else 0.0
    cpu = Cpu(costs.uncached_ms / 1000, costs.shared_ms / 1000, extra, lookup_ms / 1000)
    return Fleet(
        cpu,
        oap_seconds=costs.oap_ms / 1000,
        caller_seconds=costs.caller_ms / 1000,
        reads=costs.reads,
        oap_workers=OAP_WORKERS,
    )


def list_scenarios(costs: Costs, lookup_ms: float) -> Iterator[Scenario]:
    """Yield all scenarios, the longest first."""
    fleet = build_fleet(costs, lookup_ms)
    yield from _list_losses(fleet, costs.startup_seconds)
    burst = replace(fleet, arrival=Arrival.MINUTE_START)
    for replicas, oaps, threads in ((2, 2, 30), (4, 2, 30), (4, 4, 30), (6, 4, 30), (6, 4, 120)):
        changed = replace(burst, replicas=replicas, oaps=oaps, threads=threads, patches=4000.0, patch_burst=8000)
        yield Scenario("burst", "", changed, 0.0, 60.0)
    yield Scenario("burst", "", replace(burst, oaps=4, patches=400.0), 0.0, 60.0)
    for replicas in (2, 3, 4, 5):
        yield Scenario("steady", "thresholded", replace(fleet, replicas=replicas), 5.0, 15.0)
    judged = build_fleet(costs, lookup_ms, judged=True)
    for replicas in (5, 6):
        yield Scenario("steady", "judged", replace(judged, replicas=replicas), 5.0, 15.0)
    yield from _list_sharing(fleet)


def _list_losses(fleet: Fleet, startup_seconds: float) -> Iterator[Scenario]:
    at, away = _LOSS_AT, PROBE_SECONDS + startup_seconds + RESOLVE_SECONDS
    outage = _OUTAGE_SECONDS
    counted = _OUTAGE_SECONDS + 90
    yield Scenario("loss", "all OAPs, refused, 5 min", fleet, at, counted, [OapLoss(at, outage, fleet.oaps)])
    yield Scenario("loss", "all OAPs, no response, 5 min", fleet, at, counted, [OapLoss(at, outage, fleet.oaps, True)])
    yield Scenario("loss", "one of two OAPs, 5 min", fleet, at, counted, [OapLoss(at, outage, 1)])
    for name, unnoticed in (
        ("a replica's process ends", 0.0),
        ("a replica's node is lost", 3.0),
        ("a replica hangs", 13.0),
    ):
        yield Scenario("loss", name, fleet, at, 75.0, [ReplicaLoss(at, unnoticed, unnoticed + away)])
    three = replace(fleet, replicas=3)
    yield Scenario("loss", "one of three replicas hangs", three, at, 75.0, [ReplicaLoss(at, 13.0, 13.0 + away)])


def _list_sharing(fleet: Fleet) -> Iterator[Scenario]:
    sample = replace(fleet, rollouts=SAMPLE_ROLLOUTS)
    for sharing in SHARING:
        shared = replace(sample, services=SAMPLE_ROLLOUTS // sharing)
        for replicas in SHARING_REPLICAS:
            for placement in Placement:
                if replicas > 1 or placement is Placement.ROUND_ROBIN:
                    changed = replace(shared, replicas=replicas, placement=placement)
                    yield Scenario("sharing", f"{sharing}", changed, 15.0, 60.0)
        long = replace(shared, replicas=SHARING_REPLICAS[-1], cache=LONG_TTL)
        yield Scenario("sharing", f"{sharing}", long, 30.0, 60.0)


def run_scenarios(scenarios: Sequence[Scenario], processes: int) -> list[dict[str, Any]]:
    """Return a row of figures for each scenario, in order."""
    if processes == 1:
        return [run_scenario(one) for one in scenarios]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(run_scenario, scenarios))


def run_scenario(scenario: Scenario) -> dict[str, Any]:
    """Return the figures of a scenario."""
    result = simulate(scenario.fleet, scenario.warm_up, scenario.seconds, scenario.losses)
    return _describe(scenario) | _summarise(result, scenario)


def _describe(scenario: Scenario) -> dict[str, Any]:
    fleet = scenario.fleet
    return {
        "table": scenario.table,
        "name": scenario.name,
        "replicas": fleet.replicas,
        "oaps": fleet.oaps,
        "threads": fleet.threads,
        "patches": fleet.patches,
        "rollouts": fleet.rollouts,
        "services": fleet.services,
        "placement": fleet.placement.value,
        "responseTtl": fleet.cache.response_ttl.total_seconds(),
        "seed": fleet.seed,
        "seconds": scenario.seconds,
    }


def _summarise(result: Result, scenario: Scenario) -> dict[str, Any]:
    tally = result.tally
    late = tally.lateness
    calm = [second for second, most in tally.latest.items() if most > 10]
    return {
        "begun": tally.begun,
        "ended": {outcome.value: tally.ended[outcome] for outcome in Outcome},
        "calls": {outcome.value: tally.calls[outcome] for outcome in Outcome},
        "unfinished": result.unfinished,
        "paused": result.paused,
        "p50Ms": round(1000 * quantile(tally.latencies, 0.5), 2),
        "p99Ms": round(1000 * quantile(tally.latencies, 0.99), 2),
        "maxLateSeconds": round(max(late, default=0.0), 2),
        "lateBy10": sum(one > 10 for one in late),
        "calmAfterSeconds": max(calm) + 1 - _LOSS_AT if calm else 0.0,
        "oapRequestsPerSecond": round(result.oap_requests_per_second, 2),
        "mostOapRequests": max(tally.oap_requests.values(), default=0),
        "mostCalls": max(tally.calls_by_second.values(), default=0),
        "cores": round(sum(result.utilisation), 4),
        "busiest": round(max(result.utilisation), 4),
        "lookupsPerSecond": round(tally.lookups / (scenario.warm_up + scenario.seconds), 2),
        "retried": tally.retried,
        "shed": tally.shed,
        "mostInFlight": tally.most_in_flight,
    }
