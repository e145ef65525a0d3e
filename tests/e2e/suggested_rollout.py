"""Rollouts whose template and analysis `suggest` wrote from a real OAP, applied unchanged.

The past is that of an earlier version's pods. A rollout has one weight with many calls, so that a finding takes few of
SkyWalking's minutes.
"""

import subprocess
import sys
from pathlib import Path

import yaml

from tests.e2e.environment import Environment, pod_names
from tests.e2e.kubectl import Object
from tests.e2e.lab import wait_for
from tests.e2e.manifests import get_block, load_manifest
from tests.e2e.parallel_rollouts import RolloutScenario
from tests.e2e.rollout_timeline import WaitCondition

CALLS = 600
"""Calls of a minute of each version."""
PAST = 10
"""Minutes of the past, which the feeder adds."""
DECIDED_WITHIN_S = 420
EARLIER_PODS = ",".join(f"reviews-7d4f9c8b65-{suffix}" for suffix in ("2xkqz", "h6pnw", "pk4tz"))


def write_plain_rollout(file: Path) -> None:
    """Write a Rollout with weights and a pause, and without an analysis."""
    [rollout] = load_manifest("stepped-rollout.yaml")
    rollout["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 50}, {"pause": {"duration": "1s"}}]
    file.write_text(yaml.safe_dump(rollout, sort_keys=False))


def suggest(environment: Environment, rollout: Path) -> Object:
    """Return the template that the command writes. It adds the analysis to the Rollout."""
    config = environment.lab.folder / "sidecar.yaml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "skywalking_provider", "suggest", "--service", environment.service),
            *("--since", f"{PAST}m", "--rollout", rollout, "--write", "--no-cache"),
            *("--config", config, "--backend", environment.backend),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stderr.splitlines():
        environment.report_progress(line)
    template: Object = yaml.safe_load(done.stdout)
    return template


def run_suggested(environment: Environment, profile: str, folder: Path) -> RolloutScenario:
    """Suggest a template from the past, and judge a canary with this profile by it."""
    oap, service, file = environment.oap, environment.service, folder / f"{environment.namespace}.yaml"
    oap.add_traffic(service, "usual", EARLIER_PODS, calls=CALLS)
    wait_for(lambda: oap.count_minutes_with_calls(service, PAST - 1) == PAST - 1, 60, f"the past of {service}")
    write_plain_rollout(file)
    template = suggest(environment, file)
    assert [get_block(one)["backend"] for one in template["spec"]["metrics"]] == [environment.backend] * 2
    timeline = yield from environment.start(yaml.safe_load(file.read_text()), template)
    yield WaitCondition(timeline, lambda now: bool(pod_names(timeline, now.canary)), 60, "the canary's pods")
    canary, stable = (pod_names(timeline, one) for one in (timeline.last.canary, timeline.previous_stable))
    for pods, one in ((canary, profile), (stable, "usual")):
        oap.add_traffic(service, one, pods, calls=CALLS, new=True)
    yield WaitCondition(
        timeline,
        lambda now: bool(now.measurements) and (now.promoted or now.rolled_back),
        DECIDED_WITHIN_S,
        "the end of the rollout",
    )
    return timeline
