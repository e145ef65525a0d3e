"""Causes of Failed measurements on a real OAP: with the segments and logs of agents, and with mesh telemetry alone."""

import re

from tests.e2e.kubectl import Object
from tests.e2e.lab import PLUGIN, Lab, ProgressReporter, wait_for
from tests.e2e.manifests import build_analysis_run
from tests.e2e.oap_pool import OapPool, backend_name
from tests.e2e.rollout_timeline import RUN

CANARY, STABLE = "reviews-6c85f7bf4-9zr8t", "reviews-7d4f9c8b65-2xkqz"
AGENT, MESH = "agent.causes", "mesh.causes"
TRACE = re.compile(r" · trace ([0-9a-f-]+)$")


def test_failed_measurement_names_the_endpoint_and_a_trace_if_agents_report_them(
    lab: Lab, oap_pool: OapPool, report_progress: ProgressReporter
) -> None:
    oap = oap_pool.ensure_running("10.1.0")
    for service in (AGENT, MESH):
        oap.add_traffic(service, "bad", CANARY, agent=service == AGENT)  # every failed call is one of POST:/reviews
        oap.add_traffic(service, "good", STABLE, calls=120, agent=service == AGENT)
    for service in (AGENT, MESH):
        wait_for(lambda one=service: has_both_versions(oap, one, 3), 60, f"calls of both versions of {service}")  # type: ignore[misc]

    messages = measure(lab)

    for name, message in messages.items():
        report_progress(f"{name}: {message}")
    of_traces = re.search(r"mostly POST:/reviews: (\d+) of \1 sampled error traces", messages["agent-instances"])
    assert of_traces
    assert int(of_traces[1]) > 0
    assert re.search(r" · mostly POST:/reviews: \d+ of \d+ failures", messages["agent-service"])
    for name in ("agent-instances", "agent-service"):
        trace = TRACE.search(messages[name])
        assert trace, messages[name]
        [span] = oap.query(
            "query q($id: ID!) { queryTrace(traceId: $id) { spans { endpointName isError serviceInstanceName } } }",
            id=trace[1],
        )["queryTrace"]["spans"]
        assert span == {"endpointName": "POST:/reviews", "isError": True, "serviceInstanceName": CANARY}
    assert re.search(r" · service-wide mostly POST:/reviews: \d+ of \d+ failures$", messages["mesh-instances"])
    assert re.search(r" · mostly POST:/reviews: \d+ of \d+ failures$", messages["mesh-service"])


def has_both_versions(oap: Lab, service: str, minutes: int) -> bool:
    """Return whether OAP's success rates contain both versions: canary alone has 90 %, with stable's calls 96 %."""
    rates = oap.read_minutes("service_sla", service, minutes)
    return oap.count_minutes_with_calls(service, minutes) == minutes and all(9000 < rate < 10000 for rate in rates)


def measure(lab: Lab) -> dict[str, str]:
    """Return the messages of one failed measurement of each metric."""
    kubectl = lab.kubectl.in_namespace("causes")
    metrics = [
        build_metric(f"{kind}-{part}", service, instances=part == "instances")
        for kind, service in (("agent", AGENT), ("mesh", MESH))
        for part in ("instances", "service")
    ]
    run = build_analysis_run("causes", AGENT, {"spec": {"metrics": metrics}})
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "causes"}}])
    kubectl.apply([run])

    def results() -> list[Object]:
        found: list[Object] = kubectl.get(RUN, "causes").get("status", {}).get("metricResults", [])
        return found

    wait_for(lambda: len([one for one in results() if one.get("failed")]) == len(metrics), 90, "failed measurements")
    return {one["name"]: one["measurements"][0]["message"] for one in results()}


def build_metric(name: str, service: str, *, instances: bool) -> Object:
    block = {"sli": "success-rate", "service": service, "window": "3m", "since": "window"}
    block["backend"] = backend_name("10.1.0")
    selection = {"instances": {"podTemplateHash": CANARY.split("-")[1]}} if instances else {}
    return {
        "name": name,
        "count": 1,
        "failureLimit": 1,
        "successCondition": "result >= 0.99",
        "provider": {"plugin": {PLUGIN: block | selection}},
    }
