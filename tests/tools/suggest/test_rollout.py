"""Tests of the Rollout's manifest: its weights and pauses, and the inserted analysis."""

from pathlib import Path

import pytest
import yaml

from skywalking_provider.tools.suggest.model import SuggestError
from skywalking_provider.tools.suggest.rollout_edit import add_background, add_step, build_analysis, build_diff
from skywalking_provider.tools.suggest.rollout_steps import read_rollout
from tests.tools.lint.harness import lint_text

HEAD = """\
# Rollout of the shop.
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: busy, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: busy}}
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  strategy:
    canary:
"""
ROUTED = "      trafficRouting: {istio: {virtualService: {name: busy}}}\n"
BLOCK = f"""{HEAD}{ROUTED}\
      steps:  # slow
      - setWeight: 1  # first
      - pause: {{duration: 10m}}
      - setCanaryScale: {{replicas: 1}}
      - setWeight: 10   # then

      # a person decides
      - pause: {{}}
      - setWeight: 100
"""
ANALYSIS = build_analysis("busy", ("canary-hash", "stable-hash"))
INSERTED = """\
      - analysis:
          templates:
          - {templateName: busy}
          args:
          - {name: canary-hash, valueFrom: {podTemplateHashValue: Latest}}
          - {name: stable-hash, valueFrom: {podTemplateHashValue: Stable}}
"""


def insert(text: str, at: int) -> str:
    steps = read_rollout(text, "r.yaml")
    return add_step(text, steps, steps.weights[at].index, ANALYSIS, "r.yaml")


def test_step_is_inserted_behind_its_weight_and_nothing_else_changes() -> None:
    changed = insert(BLOCK, 1)

    assert changed == BLOCK.replace("# then\n", f"# then\n{INSERTED}")
    assert [line for line in build_diff(BLOCK, changed, "r.yaml") if line.startswith("-")] == ["--- r.yaml"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flow", f"{HEAD}{ROUTED}      steps: [{{setWeight: 10}}, {{pause: {{}}}}]\n"),
        ("no line break at the end", f"{HEAD}{ROUTED}      steps:\n      - setWeight: 10"),
        ("indented deeper", f"{HEAD}{ROUTED}      steps:\n          -   setWeight: 10\n          -   pause: {{}}\n"),
        (
            "several documents",
            f"kind: Service\n---\n{HEAD}{ROUTED}      steps:\n      - setWeight: 10\n---\nkind: List\n",
        ),
        ("Windows", f"{HEAD}{ROUTED}      steps:\n      - setWeight: 10\n      - pause: {{}}\n".replace("\n", "\r\n")),
        ("anchors", f"{HEAD}{ROUTED}      steps:\n      - setWeight: &first 10\n      - setWeight: 20\n"),
        (
            "multi-line step before",
            f"{HEAD}{ROUTED}      steps:\n      - setWeight:\n          10\n      - pause:\n          duration: 5m\n",
        ),
    ],
)
def test_layouts_of_steps_get_the_analysis(name: str, text: str) -> None:
    changed = insert(text, 0)

    (rollout,) = [one for one in yaml.safe_load_all(changed) if one["kind"] == "Rollout"]
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    assert steps[1] == {"analysis": ANALYSIS}, name
    assert steps[0] == {"setWeight": 10}
    assert ("\r\n" in changed) == ("\r\n" in text)
    assert changed.count("\n") - changed.count("\r\n") == 0 or "\r\n" not in text


@pytest.mark.parametrize("flow", [False, True])
def test_background_analysis_is_inserted_before_the_steps(flow: bool) -> None:
    text = f"{HEAD.rstrip()} {{trafficRouting: {{nginx: {{}}}}, steps: [{{setWeight: 10}}]}}\n" if flow else BLOCK
    changed = add_background(text, read_rollout(text, "r.yaml"), ANALYSIS, "r.yaml")

    canary = yaml.safe_load(changed)["spec"]["strategy"]["canary"]
    assert canary["analysis"] == ANALYSIS | {"startingStep": 1}
    assert list(canary)[-2:] == ["analysis", "steps"]


async def test_changed_rollout_has_no_findings_of_lint() -> None:
    template = (Path(__file__).parent / "data" / "busy.shop.yaml").read_text().replace("name: busy-shop", "name: busy")

    report = await lint_text(f"{template}---\n{insert(BLOCK, 1)}")

    assert report.findings == []


def test_weights_and_pauses_are_read() -> None:
    steps = read_rollout(BLOCK, "r.yaml")

    assert (steps.name, steps.namespace, steps.routed) == ("busy", "shop", True)
    assert [(one.index, one.weight, one.share, one.pause) for one in steps.weights] == [
        (0, 1, 1.0, 10.0),
        (3, 10, 10.0, None),
    ]


def test_weights_without_traffic_routing_are_shares_of_the_pods() -> None:
    text = f"{HEAD}      steps: [{{setWeight: 10}}, {{pause: {{duration: 90}}}}, {{setWeight: 60}}]\n"

    assert [(one.share, one.pause) for one in read_rollout(text, "r.yaml").weights] == [(25.0, 1.5), (75.0, 0)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "r.yaml is not YAML: while parsing"),
        ("a: {{ .Values.x }}", "Pass the rendered manifest"),
        ("kind: Service\n", "has no Rollout. Pass a file with one Rollout"),
        (f"{BLOCK}---\n{BLOCK}", "has 2 Rollouts (busy, busy)"),
        (HEAD, "has no canary steps. Add a setWeight"),
        (f"{HEAD}      steps: [{{pause: {{}}}}, {{setWeight: 100}}]\n", "Add a setWeight from 1 to 99"),
        (BLOCK.replace("    canary:", "    blueGreen: {}\n    x:"), "postPromotionAnalysis"),
    ],
)
def test_manifests_without_a_place_are_errors(text: str, problem: str) -> None:
    with pytest.raises(SuggestError) as raised:
        read_rollout(text, "r.yaml")

    assert problem in str(raised.value)


def test_layout_without_a_line_for_each_step_is_an_error() -> None:
    text = f"{HEAD}{ROUTED}      steps:\n      -\n        setWeight: 10\n"

    with pytest.raises(SuggestError, match="Write each step on a line of its own"):
        insert(text, 0)
