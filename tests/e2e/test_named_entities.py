"""Indicators and expressions on real OAPs of several versions and time zones, through `skywalking-provider check`.

The telemetry is that of an unmodified mesh: one service for both versions, which differ only by their pods.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import Lab, ProgressReporter, wait_for
from tests.e2e.oap_pool import VERSIONS, OapPool

TEMPLATE = Path(__file__).parent / "manifests/named-analysis.yaml"
WRONG_READS = TEMPLATE.with_name("wrong-reads.yaml")
CANARY, STABLE = "6c85f7bf4", "7d4f9c8b65"


@pytest.fixture(scope="module", params=VERSIONS)
def oap(request: pytest.FixtureRequest, oap_pool: OapPool) -> Lab:
    """Provide an OAP with ten past minutes of both versions."""
    lab = oap_pool.ensure_running(request.param)
    lab.add_traffic("reviews.bookinfo", "bad", f"reviews-{CANARY}-9zr8t")
    lab.add_traffic("reviews.bookinfo", "good", f"reviews-{STABLE}-2xkqz,reviews-{STABLE}-h6pnw", calls=120)
    wait_for(lambda: check(lab, CANARY)["throughput"]["phase"] == "Successful", 60, "three complete minutes")
    return lab


def check(
    oap: Lab, pod_template_hash: str = "", *, template: Path = TEMPLATE, service: str = ""
) -> dict[str, dict[str, Any]]:
    """Run `check` and return the result of every metric by name."""
    argument = f"service={service}" if service else f"hash={pod_template_hash}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "skywalking_provider", "check", "-f", str(template), "-o", "json"),
            *("--address", oap.oap_url, "-a", argument),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return {one["metric"]: one for one in json.loads(done.stdout)}


def phases(measured: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: one["phase"] for name, one in measured.items()}


def test_canary_and_stable_version_of_one_service_are_measured_separately(
    oap: Lab, report_progress: ProgressReporter
) -> None:
    version = oap.settings["OAP_VERSION"]

    bad, good = check(oap, CANARY), check(oap, STABLE)

    report_progress(bad["success-rate"]["message"])
    assert bad["success-rate"]["phase"] == "Failed", bad["success-rate"]
    assert float(bad["success-rate"]["value"]) == pytest.approx(0.9)
    assert good["success-rate"]["phase"] == "Successful", good["success-rate"]
    assert float(bad["latency"]["value"]) == pytest.approx(350)
    assert float(good["latency"]["value"]) == pytest.approx(62.5)
    assert float(bad["throughput"]["value"]) == 180
    assert float(bad["endpoint"]["value"]) == 90
    assert float(bad["p99"]["value"]) == 1200
    assert len(json.loads(bad["query"]["value"])["service_apdex"]["values"]["values"]) == 3
    expression = bad["expression"]
    if version == "9.2.0":
        assert "an OAP before 9.5" in expression["message"]
    else:
        assert json.loads(expression["value"]) == {f"reviews-{CANARY}-9zr8t": 0.9}


def test_unknown_instance_waits_and_lists_known_instances(oap: Lab) -> None:
    unknown = check(oap, "7777777777")["success-rate"]

    assert unknown["phase"] == "Running"
    assert f"reviews-{CANARY}-9zr8t" in unknown["message"]


NO_LABEL = "QUERY_INVALID v: service_percentile has no label"
POSITIONS = "OAP before 10 labels p50, p75, p90, p95 and p99 with 0 to 4"
RANKS = "the labels of OAP 10 and newer are p='50', '75', '90', '95' and '99'"


def test_labels_and_types_that_the_oap_does_not_have_are_errors_with_those_that_it_has(oap: Lab) -> None:
    version = oap.settings["OAP_VERSION"]

    measured = check(oap, template=WRONG_READS, service="reviews.bookinfo")

    messages = {name: one["message"] for name, one in measured.items()}
    known = "Write labels: []: OAP 10" if version == "10.1.0" else f'Write labels: ["4"] for p99: {POSITIONS}'
    assert messages["label"].startswith(f"{NO_LABEL} '99'. {known}")
    assert messages["labels"].startswith(
        f"{NO_LABEL} {chr(39)}4', '99'." if version == "10.1.0" else f"{NO_LABEL} '99'."
    )
    assert "service_percentile has labels, which readMetricsValues does not read" in messages["percentile-as-number"]
    assert "service_cpm has no labels, which readLabeledMetricsValues does not read" in messages["number-as-labels"]
    match version:
        case "9.2.0":
            assert all("an OAP before 9.5" in messages[name] for name in ("position", "rank", "ranking"))
        case "9.6.0":
            assert measured["position"]["phase"] == "Successful", measured["position"]
            assert f"Write {{_='4'}} for p99: {POSITIONS}" in messages["rank"]
            assert "there are none below one service" in messages["ranking"]
        case _:
            assert f"has no label _='4'. Write {{p='99'}}: {RANKS}" in messages["position"]
            assert measured["rank"]["phase"] == "Successful", measured["rank"]
            assert "there are none below one service" in messages["ranking"]
