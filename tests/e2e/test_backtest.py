"""Backtest of eight hours on a real OAP, with the template that `suggest` writes."""

from pathlib import Path

import pytest

from bench.backtest_history.acceptance import run_acceptance
from tests.e2e.lab import ProgressReporter


@pytest.fixture(autouse=True)
def headline(report_progress: ProgressReporter) -> None:
    """Print a headline, as the other tests do. The lab is not needed."""
    report_progress("backtest of eight hours:")


@pytest.mark.timeout(600)
def test_backtest_finds_the_bad_deploy_only_and_agrees_with_the_simulation(
    tmp_path: Path, home: Path, report_progress: ProgressReporter
) -> None:
    acceptance = run_acceptance(tmp_path / "lab", home, report_progress, splits=100, histories=20)

    assert acceptance.finds_the_bad_deploy_only, (acceptance.aborted, acceptance.promoted)
    for one in acceptance.agreements:
        assert one.holds, one
    assert acceptance.agreements[-1].measured > 0.1
    assert "podTemplateHash" in acceptance.template
