"""Simulated fleets: conservation, Little's law, closed forms, caches and losses."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fleet.bridge import rank_replicas
from bench.fleet.model import Arrival, Cpu, Fleet, OapLoss, Placement, ReplicaLoss
from bench.fleet.simulation import Result, simulate
from bench.fleet.tally import Outcome

SMALL = Fleet(Cpu(0.0016, 0.0006), oap_seconds=0.02, rollouts=60, services=60, replicas=2)
UNLIMITED = 10**9
LOSSES: Sequence[Sequence[ReplicaLoss | OapLoss]] = (
    (),
    (ReplicaLoss(20, 0, 10),),
    (ReplicaLoss(20, 13, 30),),
    (OapLoss(20, 30, 1),),
    (OapLoss(20, 30, 2),),
    (OapLoss(20, 30, 2, hangs=True),),
)


def shared_requests_per_second(rollouts: int, replicas: int, ttl: float) -> float:
    """A request starts a TTL on its replica, and the next measurement after its end sends the next one."""
    rate = rollouts / 60
    return rate / (1 + rate * ttl / replicas)


def count_open(result: Result) -> int:
    return result.tally.begun - result.tally.ended.total()


@settings(max_examples=25, deadline=None)
@given(
    replicas=st.integers(1, 4),
    services=st.integers(1, 60),
    threads=st.integers(1, 20),
    placement=st.sampled_from(Placement),
    arrival=st.sampled_from(Arrival),
    losses=st.sampled_from(LOSSES),
    seed=st.integers(0, 5),
)
def test_any_fleet_ends_each_measurement_exactly_once(
    replicas, services, threads, placement, arrival, losses, seed
) -> None:
    fleet = replace(
        SMALL,
        replicas=replicas,
        services=services,
        threads=threads,
        placement=placement,
        arrival=arrival,
        seed=seed,
    )
    result = simulate(fleet, 0, 130, losses)
    assert count_open(result) == result.unfinished
    assert result.tally.begun >= 2 * fleet.rollouts * fleet.metrics - result.unfinished
    assert result.tally.ended[Outcome.ERROR] == result.tally.ended[Outcome.INCONCLUSIVE] == 0


def test_same_seed_gives_same_counts() -> None:
    losses = (ReplicaLoss(20, 0, 10), OapLoss(40, 20, 2))
    first, second = (simulate(SMALL, 5, 90, losses).tally for _ in range(2))
    assert first == second


def test_other_seed_gives_other_latencies() -> None:
    first, second = (simulate(replace(SMALL, seed=seed), 5, 60).tally for seed in (1, 2))
    assert first.latencies != second.latencies


def test_calls_in_progress_are_rate_times_latency() -> None:
    tally = simulate(replace(SMALL, rollouts=600, services=600), 0, 600).tally
    assert tally.in_flight_seconds == pytest.approx(sum(tally.latencies), rel=0.001)


def test_random_arrivals_at_one_replica_wait_as_in_an_m_d_1_queue() -> None:
    cpu_seconds, rollouts = 0.02, 1800  # half of the core
    fleet = Fleet(
        Cpu(cpu_seconds, cpu_seconds),
        oap_seconds=0.0,
        rollouts=rollouts,
        services=rollouts,
        metrics=1,
        replicas=1,
        threads=UNLIMITED,
        oap_workers=1,
    )
    waits = []
    for seed in range(8):
        tally = simulate(replace(fleet, seed=seed), 0, 59).tally
        waits += tally.latencies
    load = rollouts / 60 * cpu_seconds
    # The two halves of a measurement pass the queue one after the other: each waits for others' halves.
    whole = cpu_seconds + load * cpu_seconds / (2 * (1 - load))
    assert sum(waits) / len(waits) == pytest.approx(whole, rel=0.25)


def test_burst_on_one_replica_takes_its_cpu_time() -> None:
    fleet = replace(
        SMALL, replicas=1, rollouts=500, services=500, arrival=Arrival.MINUTE_START, patches=UNLIMITED, oap_seconds=0.0
    )
    tally = simulate(fleet, 0, 50).tally
    # Four of five measurements send a request; the fifth shares the one of the fourth.
    assert max(tally.lateness) == pytest.approx(500 * (4 * 0.0016 + 0.0006), rel=0.01)


def test_burst_beyond_the_oap_takes_the_time_of_its_workers() -> None:
    fleet = replace(SMALL, rollouts=500, services=500, reads=5, oaps=1, arrival=Arrival.MINUTE_START, patches=UNLIMITED)
    tally = simulate(fleet, 0, 50).tally
    assert max(tally.lateness) == pytest.approx(500 * 5 * 0.02 / 16, rel=0.05)


def test_patch_limit_delays_runs_to_its_rate() -> None:
    fleet = replace(SMALL, rollouts=400, services=400, arrival=Arrival.MINUTE_START, patches=10.0, patch_burst=1)
    tally = simulate(fleet, 0, 59).tally
    assert max(tally.lateness) == pytest.approx((400 - fleet.threads) / 10, rel=0.05)


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_shared_query_is_sent_as_often_as_its_ttl_and_replicas_imply(replicas) -> None:
    sharing, services = 60, 20
    fleet = replace(SMALL, rollouts=sharing * services, services=services, metrics=1, reads=1, replicas=replicas)
    result = simulate(fleet, 20, 120)
    most, least = (services * shared_requests_per_second(sharing, replicas, ttl) for ttl in (7, 10))
    assert 0.93 * least <= result.oap_requests_per_second <= 1.07 * most + services / 60  # and after each minute's end


def test_affinity_sends_as_many_requests_as_one_replica() -> None:
    fleet = replace(SMALL, rollouts=600, services=20)
    one = simulate(replace(fleet, replicas=1), 20, 60)
    four = simulate(replace(fleet, replicas=4, placement=Placement.AFFINITY), 20, 60)
    assert four.oap_requests_per_second == pytest.approx(one.oap_requests_per_second, rel=0.03)


def test_shared_cache_saves_requests_of_replicas() -> None:
    fleet = replace(SMALL, rollouts=600, services=20, replicas=4)
    own, shared = (
        simulate(replace(fleet, placement=placement), 20, 60).oap_requests_per_second
        for placement in (Placement.ROUND_ROBIN, Placement.SHARED_CACHE)
    )
    assert shared < 0.7 * own


def test_ended_process_delays_calls_by_the_first_retry() -> None:
    fleet = replace(SMALL, rollouts=2000, services=2000, oap_seconds=0.2, oap_workers=100, threads=200)
    tally = simulate(fleet, 0, 59, [ReplicaLoss(20, 0, 10)]).tally
    assert tally.retried > 0
    assert tally.calls[Outcome.RUNNING] == 0
    assert max(tally.lateness) < 1


def test_hanging_replica_delays_measurements_until_the_bridge_notices() -> None:
    tally = simulate(replace(SMALL, rollouts=600, services=600), 0, 59, [ReplicaLoss(20, 13, 30)]).tally
    assert 13 < max(tally.lateness) < 20
    assert tally.ended[Outcome.INCONCLUSIVE] == 0


def test_outage_shorter_than_the_grace_pauses_no_rollout() -> None:
    result = simulate(SMALL, 0, 400, [OapLoss(20, 250, 2)])
    assert result.tally.calls[Outcome.RUNNING] > 0
    assert result.paused == 0
    assert max(result.tally.lateness) > 200


def test_outage_longer_than_the_grace_pauses_rollouts_without_errors() -> None:
    result = simulate(SMALL, 0, 450, [OapLoss(20, 400, 2)])
    assert result.paused == SMALL.rollouts
    assert result.tally.ended[Outcome.ERROR] == 0


def test_ranking_moves_only_the_services_of_a_lost_replica() -> None:
    for service in range(200):
        four = rank_replicas(service, 4)
        assert sorted(four) == [0, 1, 2, 3]
        assert [at for at in four if at != 3] == list(rank_replicas(service, 3))
