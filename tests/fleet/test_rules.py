"""Rules of the fleet model beside those of the product, its plan and its costs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.fleet import costs as fleet_costs
from bench.fleet.bridge import retry_pause
from bench.fleet.caches import Lookup, ReplicaCache, SharedCache
from bench.fleet.controller import TokenBucket
from bench.fleet.costs import ASSUMPTIONS, read_costs, read_replica_costs
from bench.fleet.event_loop import EventLoop
from bench.fleet.planning import BUSY, BUSY_AFTER_LOSS, MIN_REPLICAS, count_replicas, plan_capacity
from bench.fleet.tally import Outcome, quantile
from bench.fleet.waiting import GRACE_SECONDS, decide_outage
from bench.scenarios import SHARED_SERVICES
from skywalking_provider.analysis.verdict import on_backend_unavailable
from skywalking_provider.block import OnOutage
from skywalking_provider.errors import BackendUnavailableError, FailureKind

ROOT = Path(__file__).parents[2]
RAW = json.loads((ROOT / "bench/results/performance.json").read_text())
START = datetime(2026, 11, 30, tzinfo=UTC)


@given(elapsed=st.integers(0, 400))
def test_wait_of_an_outage_is_that_of_the_product(elapsed: int) -> None:
    now = START + timedelta(seconds=elapsed)
    error = BackendUnavailableError("away", kind=FailureKind.CONNECT)
    verdict = on_backend_unavailable(error, timedelta(seconds=GRACE_SECONDS), OnOutage.INCONCLUSIVE, START, now)
    outcome, resume_at = decide_outage(0.0, elapsed)
    assert outcome.value == verdict.phase.value
    if outcome is Outcome.RUNNING:
        assert verdict.resume_at == START + timedelta(seconds=resume_at)


def test_pauses_of_the_bridge_are_one_and_a_half_seconds_in_total() -> None:
    assert sum(retry_pause(attempt, 0.5) for attempt in range(1, 5)) == pytest.approx(1.5)


def test_retry_policy_of_the_bridge_is_that_of_the_model() -> None:
    source = (ROOT / "bridge/internal/provider/sidecar.go").read_text()
    assert '"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2' in source


def test_response_serves_others_until_its_ttl_ends() -> None:
    cache = ReplicaCache[str](7, 3)
    assert cache.look_up("verdict", "key", 0) is Lookup.MISS
    flight = cache.begin("key", 0, 15, "first")
    assert cache.look_up("verdict", "key", 1) is Lookup.IN_FLIGHT
    cache.join("key", 16, "second")
    assert (flight.waiters, flight.deadline) == (["first", "second"], 16)
    cache.end(flight)
    cache.put_response("key", 7, 2)
    assert cache.look_up("verdict", "key", 6.9) is Lookup.RESPONSE
    assert cache.look_up("verdict", "key", 7) is Lookup.MISS


def test_verdict_serves_others_beyond_its_response() -> None:
    cache = ReplicaCache[str](7, 3)
    cache.put_response("key", 7, 0)
    cache.put_verdict("verdict", 6, 6)
    assert cache.look_up("verdict", "key", 8.9) is Lookup.VERDICT
    assert cache.look_up("other", "key", 8.9) is Lookup.MISS
    cache.forget_expired(9)
    assert cache.look_up("verdict", "key", 8.9) is Lookup.MISS


def test_shared_cache_has_a_response_until_it_expires() -> None:
    cache = SharedCache()
    assert cache.get("key", 0) is None
    cache.put("key", 7)
    assert (cache.get("key", 6.9), cache.get("key", 7)) == (7, None)


def test_token_bucket_delays_what_exceeds_its_burst() -> None:
    bucket = TokenBucket(10, 2)
    assert [bucket.reserve(0) for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
    assert bucket.reserve(10) == 10


def test_event_loop_runs_actions_in_order_of_time_and_addition() -> None:
    loop, seen = EventLoop(), []
    for time, name in ((2, "c"), (1, "a"), (1, "b"), (9, "late")):
        loop.at(time, seen.append, name)
    loop.run(5)
    assert (seen, loop.now) == (["a", "b", "c"], 5)


@given(cores=st.floats(0, 200))
def test_planned_replicas_have_room_for_a_loss(cores: float) -> None:
    replicas = count_replicas(cores)
    assert replicas >= MIN_REPLICAS
    assert cores / replicas <= BUSY + 1e-9
    assert cores / (replicas - 1) <= BUSY_AFTER_LOSS + 1e-9


def test_plan_grows_with_rollouts_and_judgement() -> None:
    costs = read_costs(RAW)
    small, large = (plan_capacity(costs, rollouts, judged=False) for rollouts in (1_000, 13_000))
    judged = plan_capacity(costs, 13_000, judged=True)
    assert small.per_second == pytest.approx(1_000 * 5 / 60)
    assert small.replicas < large.replicas <= judged.replicas
    assert judged.cores > large.cores
    assert large.memory_mib > large.replicas * costs.idle_mib


def test_costs_come_from_the_file_where_it_has_them() -> None:
    raw = {name: rows for name, rows in RAW.items() if name != "judged"}
    assumed = read_costs(raw)
    assert set(assumed.assumed) == set(ASSUMPTIONS)
    measured = read_costs(raw | {"judged": {"cpuMs": {"thresholded": 1.0, "judged": 4.0}}})
    assert (measured.judged_extra_ms, measured.assumed) == (3.0, ())


def test_replicas_cost_what_their_own_scenario_measured() -> None:
    latency = {"latencyMs": {"count": 1000}}
    rows = [
        {"replicas": replicas, "workload": workload, "serviceCpuSeconds": seconds} | latency
        for replicas, workload, seconds in ((1, "uncached", 3.0), (1, "shared", 1.0), (2, "uncached", 9.0))
    ]
    costs = read_replica_costs(RAW | {"replicas": rows})
    assert (costs.uncached_ms, costs.shared_ms, costs.scenario) == (3.0, 1.0, "replicas")
    without = {name: rows for name, rows in RAW.items() if name != "replicas"}
    assert read_replica_costs(without) == read_costs(without)


def test_services_of_the_burst_are_those_of_the_benchmark() -> None:
    assert fleet_costs.SHARED_SERVICES == SHARED_SERVICES


@given(values=st.lists(st.floats(0, 100), min_size=1))
def test_quantiles_are_ordered_values(values: list[float]) -> None:
    assert min(values) <= quantile(values, 0.5) <= quantile(values, 1.0) == max(values)
