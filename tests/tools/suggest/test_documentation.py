"""docs/suggest.md shows what the command prints for the mock OAP, apart from times."""

import re
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from skywalking_provider.mock_oap.scenario import load_scenario
from skywalking_provider.tools.suggest.rollout_edit import build_diff
from skywalking_provider.tools.suggest.runner import Manifest
from tests.tools.lint.harness import ROOT
from tests.tools.suggest.harness import open_stage

pytestmark = pytest.mark.allow_slow_callbacks("a suggestion computes for seconds, and serves no one meanwhile")
PAGE = (ROOT / "docs" / "suggest.md").read_text()
TIME = re.compile(r"(?:\d{4}-)?\d\d-\d\d \d\d:\d\d|\d\d:\d\d")
ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: reviews
spec:
  replicas: 5
  selector: {matchLabels: {app: reviews}}
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: reviews}
  strategy:
    canary:
      trafficRouting:
        istio:
          virtualService: {name: reviews}
          destinationRule: {name: reviews, canarySubsetName: canary, stableSubsetName: stable}
      steps:
      - setWeight: 10
      - pause: {duration: 10m}
      - setWeight: 50    # half
      - pause: {duration: 10m}
"""


async def test_page_has_the_template_the_diff_and_the_advice_of_the_mock(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await open_stage(stack, tmp_path, load_scenario("past-deploys"))
        alone = await stage.suggest("reviews.bookinfo", since=timedelta(hours=8))
        manifest = Manifest("rollout.yaml", ROLLOUT)
        placed = await stage.suggest("reviews.bookinfo", manifest, since=timedelta(hours=8))

    assert placed.manifest is not None
    diff = "\n".join(build_diff(ROLLOUT, placed.manifest, manifest.file))
    page = TIME.sub("TIME", PAGE)
    assert TIME.sub("TIME", alone.template) in page
    for advice in (alone.advice, placed.advice):
        assert "\n".join(f"- {one}" for one in advice) in PAGE
    assert diff in PAGE
