"""Canaries that are judged beside stable, with the reference rollout's weights, on real OAPs of two versions.

All rollouts run at the same time. Their pauses are divided, but SkyWalking's minutes are not: a finding takes three of
them. The calls of both versions follow the weights.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from skywalking_provider.contract.v1 import metric_provider_pb2 as pb
from skywalking_provider.contract.v1 import metric_provider_pb2_grpc as rpc
from skywalking_provider.judgement import (
    Confidence,
    FailureCounts,
    Judge,
    Limit,
    RateComparison,
    RatePair,
    decide,
)
from tests.e2e.environment import Environment, pod_names
from tests.e2e.kubectl import Object
from tests.e2e.lab import Lab, ProgressReporter, wait_for
from tests.e2e.manifests import configure_background_analysis, load_manifest
from tests.e2e.oap_pool import OapPool, backend_name
from tests.e2e.parallel_rollouts import RolloutScenario, ScenarioResults, run_in_parallel
from tests.e2e.ready_templates import HASHES, analyse_by_ready_templates, named_service, render_ready_templates
from tests.e2e.rollout_timeline import RolloutSnapshot, WaitCondition
from tests.e2e.suggested_rollout import run_suggested

pytestmark = pytest.mark.timeout(900)  # minutes are real, and the first test starts the lab

OAPS = ("10.1.0", "9.6.0")
CALLS = 1200
"""Calls of a minute of both versions together."""

THIN_CALLS = 60
"""Too few calls for a finding in `maxWait`: the canary has 6 a minute at first."""

PAUSE_FACTOR = 6
"""Divisor of the reference rollout's pauses: 100 s, then 50 s each. A finding takes 250 s at most."""

SLOW_PAUSE_FACTOR = 3
"""Divisor for thin traffic: `maxWait` begins when the first minute closes, so the pause comes after up to 370 s."""

DECIDED_WITHIN_S = 420


READY_TEMPLATES = {
    "10.1.0": ("success-rate", "latency", "apdex", "alarms", "smoke"),
    "9.6.0": ("success-rate-background", "latency-background", "apdex-background", "alarms-background"),
}
"""The chart's templates by OAP: those for a step and those for a background analysis."""


def judged_rollout(service: str, pause_factor: int) -> Object:
    """Return the reference rollout with divided pauses; the judged analysis starts after the first weight."""
    [rollout] = load_manifest("reference-rollout.yaml")
    configure_background_analysis(rollout, service, pause_factor)
    analysis = rollout["spec"]["strategy"]["canary"]["analysis"]
    analysis["templates"] = [{"templateName": "judged"}]
    analysis["startingStep"] = 1
    analysis["args"] += HASHES
    return rollout


def split_calls(total: int, canary_weight: int) -> tuple[int, int]:
    """Split the calls of a minute into those of the canary and of stable."""
    canary = total * canary_weight // 100
    return canary, total - canary


def run_judged(
    environment: Environment,
    profiles: tuple[str, str],
    end: Callable[[RolloutSnapshot], bool],
    calls: int = CALLS,
    pause_factor: int = PAUSE_FACTOR,
    ready: tuple[str, ...] = (),
) -> RolloutScenario:
    """Update a rollout and split its calls by the weights until the end.

    Args:
        environment: Environment of the scenario.
        profiles: Profiles of the canary and of stable from the update on.
        end: Condition that ends the scenario.
        calls: Calls of a minute of both versions together.
        pause_factor: Divisor of the reference rollout's pauses.
        ready: Names of the chart's templates that judge the canary; empty for the lab's own template.
    """
    rollout = judged_rollout(environment.service, pause_factor)
    templates = render_ready_templates(environment, ready) or load_manifest("judged-analysis.yaml")
    if ready:
        analyse_by_ready_templates(rollout, environment, templates)
    timeline = yield from environment.start(rollout, *templates)
    stable = pod_names(timeline, timeline.previous_stable)
    yield WaitCondition(timeline, lambda now: bool(pod_names(timeline, now.canary)), 60, "the canary's pods")
    canary, weight = pod_names(timeline, timeline.last.canary), 10
    for pods, profile, share in zip((canary, stable), profiles, split_calls(calls, weight), strict=True):
        environment.oap.add_traffic(environment.service, profile, pods, calls=share, new=True)
    ends_at = time.monotonic() + DECIDED_WITHIN_S
    while not end(timeline.last):

        def changed(now: RolloutSnapshot, last: int = weight) -> bool:
            return end(now) or now.weights[1] not in (0, last, 100)

        yield WaitCondition(timeline, changed, ends_at - time.monotonic(), "the next weight or the end of the rollout")
        if not end(timeline.last):
            weight = timeline.last.weights[1]
            for pods, profile, share in zip((canary, stable), profiles, split_calls(calls, weight), strict=True):
                environment.oap.change_traffic(environment.service, profile, pods, share)
    return timeline


def decided(now: RolloutSnapshot) -> bool:
    """Return whether the update is promoted or rolled back, which needs a measurement."""
    return bool(now.measurements) and (now.promoted or now.rolled_back)


def paused_by_analysis(now: RolloutSnapshot) -> bool:
    return decided(now) or ("Inconclusive" in now.phases and now.phase == "Paused")


def healthy(environment: Environment) -> RolloutScenario:
    for name in ("canary", "stable"):
        environment.oap.add_traffic(named_service(environment, name), "usual", calls=CALLS)
    return run_judged(environment, ("usual", "usual"), decided, ready=READY_TEMPLATES[environment.version])


def bad(environment: Environment) -> RolloutScenario:
    return run_judged(environment, ("bad", "usual"), decided, ready=READY_TEMPLATES[environment.version][:1])


def shared_incident(environment: Environment) -> RolloutScenario:
    return run_judged(environment, ("bad", "bad"), decided)


def thin(environment: Environment) -> RolloutScenario:
    return run_judged(environment, ("good", "good"), paused_by_analysis, THIN_CALLS, SLOW_PAUSE_FACTOR)


SCENARIOS: tuple[Callable[[Environment], RolloutScenario], ...] = (healthy, bad, shared_incident, thin)


SUGGESTED = {"suggested_healthy": "usual", "suggested_bad": "bad"}
"""Profile of the canary by scenario whose template `suggest` writes."""


@pytest.fixture(scope="module")
def results(
    lab: Lab, oap_pool: OapPool, report_progress: ProgressReporter, tmp_path_factory: pytest.TempPathFactory
) -> ScenarioResults:
    folder = tmp_path_factory.mktemp("suggested")
    suggested = {  # the first ones, because they wait for the command before they start
        name: run_suggested(Environment.create(lab, oap_pool, OAPS[0], name, report_progress), profile, folder)
        for name, profile in SUGGESTED.items()
    }
    scenarios = suggested | {
        f"{version} {scenario.__name__}": scenario(
            Environment.create(lab, oap_pool, version, scenario.__name__, report_progress)
        )
        for version in OAPS
        for scenario in SCENARIOS
    }
    return run_in_parallel(lab.kubectl, scenarios)


@pytest.fixture(params=OAPS)
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_judged_healthy_canary_is_promoted_with_its_evidence(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} healthy")

    assert timeline.last.promoted
    assert set(timeline.last.phases) == {"Successful"}
    measured = {one.metric: one for one in timeline.last.measurements}
    assert measured.keys() == {name.removesuffix("-background") for name in READY_TEMPLATES[version]}
    for name in ("success-rate", "latency"):
        result = json.loads(measured[name].value)
        assert result["verdict"] == "fine"
        assert result["calls"]["canary"] < result["calls"]["stable"]
    assert json.loads(measured["apdex"].value)["verdict"] == "fine"
    assert json.loads(measured["alarms"].value)["fired"] == 0
    assert [weight for weight in timeline.canary_weights if weight not in (0, 100)] == [10, 20, 40, 60, 80]


def test_judged_bad_canary_is_aborted_during_the_steps(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} bad")

    assert timeline.last.rolled_back
    assert timeline.last.phases == ["Failed"]
    code, _, rate = timeline.last.last_message.split()[:3]
    assert code == "WORSE_THAN_STABLE"
    # Within 1 %, because a change of weight in the middle of a minute changes which calls fail.
    assert float(rate) == pytest.approx(0.9, abs=0.01)
    assert f" of {timeline.last.canary}, stable 5 instances of {timeline.previous_stable} · " in (
        timeline.last.last_message
    )
    assert max(timeline.canary_weights) < 100


def test_incident_of_both_versions_does_not_abort_the_judged_canary(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} shared_incident")

    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert timeline.last.promoted
    result = json.loads(timeline.last.measurements[0].value)
    assert result["canary"] < 0.95, "a threshold of 0.95 would have failed this canary"


def test_judged_canary_with_thin_traffic_pauses_the_rollout(results: ScenarioResults, version: str) -> None:
    timeline = results.timeline(f"{version} thin")

    assert timeline.last.phases == ["Inconclusive"]
    assert timeline.last.last_message.startswith("UNDECIDED too few calls: canary 0 of ")
    assert "waited 4m (maxWait)" in timeline.last.last_message
    assert not any(snapshot.aborted for snapshot in timeline.snapshots)
    assert 0 < timeline.last.weights[1] < 100
    assert "InconclusiveAnalysisRun" in timeline.pause_reasons()


def test_suggested_template_promotes_a_healthy_canary(results: ScenarioResults) -> None:
    timeline = results.timeline("suggested_healthy")

    assert timeline.last.promoted
    assert {one.metric: one.phase for one in timeline.last.measurements} == {
        "success-rate": "Successful",
        "latency": "Successful",
    }
    assert 50 in timeline.canary_weights


def test_suggested_template_aborts_a_bad_canary(results: ScenarioResults) -> None:
    timeline = results.timeline("suggested_bad")

    assert timeline.last.rolled_back
    assert any("WORSE_THAN_STABLE success-rate" in one.message for one in timeline.last.measurements)
    assert max(timeline.canary_weights) == 50


CANARY, STABLE = "6c85f7bf4", "7d4f9c8b65"
WEIGHTS = (10, 20, 40, 60, 80)
COUNTED_CALLS = 600
MINUTE_S = 60
FAILURE_EVERY = {"usual": 100, "doubtful": 50, "bad": 10}
"""Number of calls of which one fails, by the feeder's profile."""


@pytest.mark.parametrize(("profile", "verdict"), [("usual", "fine"), ("doubtful", "open"), ("bad", "worse")])
def test_evidence_of_weights_from_10_to_80_percent_is_that_of_the_fed_counts(
    lab: Lab, oap_pool: OapPool, version: str, profile: str, verdict: str
) -> None:
    oap, service = oap_pool.ensure_running(version), f"reviews.weights-{profile}"
    start = int(time.time()) // MINUTE_S - len(WEIGHTS) - 1  # minute of the epoch
    shares = [split_calls(COUNTED_CALLS, weight) for weight in WEIGHTS]
    offset = start % len(WEIGHTS)
    cycle = shares[-offset:] + shares[:-offset] if offset else shares
    for name, one, column in ((CANARY, profile, 0), (STABLE, "usual", 1)):
        pods = ",".join(f"reviews-{name}-{suffix}" for suffix in ("9zr8t", "h6pnw"))
        oap.add_traffic(service, one, pods, calls="/".join(str(share[column]) for share in cycle))

    def count_side(minute: int, side: int) -> FailureCounts:
        calls = shares[minute % len(WEIGHTS)][side]
        failures = calls // FAILURE_EVERY[(profile, "usual")[side]]
        return FailureCounts(calls, failures, failures)

    def fed_minutes(result: dict[str, Any]) -> list[RatePair]:
        return [RatePair(count_side(at, 0), count_side(at, 1)) for at in range(result["minutes"])]

    def is_complete() -> bool:
        result = measure(lab, version, service, start)
        if result.get("minutes", 0) < len(WEIGHTS):
            return False
        minutes = fed_minutes(result)
        fed = {"canary": sum(one.canary.calls for one in minutes), "stable": sum(one.stable.calls for one in minutes)}
        return bool(result["calls"] == fed)

    wait_for(is_complete, 90, f"the fed calls of {service} in OAP {version}")
    result = measure(lab, version, service, start)

    confidence = Confidence.of(0.999, 0.95)
    judge = Judge(RateComparison(Limit(0.001, 1.25), Limit(0.01, 3)), confidence)
    for minute in fed_minutes(result):
        judge.add(minute)
    assert result["evidence"] == pytest.approx(
        {"worse": judge.evidence.worse, "fine": judge.evidence.fine}, rel=1e-5
    )  # six digits are written
    assert result["verdict"] == decide(judge.evidence, confidence, held=judge.incident).value == verdict


def measure(lab: Lab, version: str, service: str, start: int) -> dict[str, Any]:
    """Run a measurement of a run that started half a minute before this one; return the service's result, if any."""
    block = {
        "backend": backend_name(version),
        "sli": "success-rate",
        "service": service,
        "instances": {"podTemplateHash": CANARY},
        "compare": {"instances": {"podTemplateHash": STABLE}},
    }
    # With a condition, an undecided measurement has a result, too.
    metric = pb.Metric(name="success-rate", success_condition="true", block=json.dumps(block).encode())
    run = pb.Run(namespace="weights", name="weights")
    run.started_at.seconds = run.created_at.seconds = start * MINUTE_S - MINUTE_S // 2
    with grpc.insecure_channel(f"unix:{lab.socket}") as channel:
        measurement = rpc.MetricProviderStub(channel).Run(pb.RunRequest(metric=metric, run=run), timeout=15)
    result: dict[str, Any] = json.loads(measurement.value) if measurement.value else {}
    return result
