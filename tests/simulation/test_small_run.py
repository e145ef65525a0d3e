"""Small seeded runs of the simulation: the judge of the product agrees, and outcomes repeat."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.simulation import __main__ as command
from bench.simulation import agreement
from bench.simulation.agreement import judge_comparison_sample, judge_objective_sample, largest_difference
from bench.simulation.claims import check_claims
from bench.simulation.judges import CONFIDENCE, HARMFUL, HARMFUL_RATE, TOLERATED, TOLERATED_RATE
from bench.simulation.outcomes import Outcome, Times, count_outcome, encode
from bench.simulation.report import write_page
from bench.simulation.runner import Result, run_scenarios
from bench.simulation.scenarios import FAULTS, Rollouts, Scenario, draw_rollouts
from bench.simulation.vectorised import judge_comparison, judge_objective


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return list(run_scenarios(runs=60, latency_runs=20, sample=5))


def test_judge_of_the_product_agrees_in_every_scenario(results: list[Result]) -> None:
    assert len(results) == 34
    assert max(one.difference for one in results) < 1e-9


def test_fault_is_found_and_healthy_canary_promoted(results: list[Result]) -> None:
    outcomes = {(one.name, judge): outcome for one in results for judge, outcome in one.outcomes.items()}

    assert outcomes["F1", "compare"].aborted.share == 1
    assert outcomes["H1", "compare"].aborted.count == 0
    assert outcomes["H1", "compare"].fine.share == 1
    assert outcomes["H1", "talk's template, failureLimit 0"].aborted.share > 0.9


def test_claims_of_a_small_run_cover_all_scenarios(results: list[Result]) -> None:
    outcomes = {(one.name, judge): outcome for one in results for judge, outcome in one.outcomes.items()}
    claims = list(check_claims(outcomes, [one.difference for one in results]))

    for scenario in {one.name for one in results}:
        assert any(f"in {scenario}" in claim.name for claim in claims), scenario


def test_same_seed_repeats_the_counts(results: list[Result]) -> None:
    again = next(iter(run_scenarios(runs=60, latency_runs=20, sample=5)))

    assert {name: encode(one) for name, one in again.outcomes.items()} == {
        name: encode(one) for name, one in results[0].outcomes.items()
    }


def test_thin_minutes_without_calls_do_not_count_in_either_judge() -> None:
    rollouts = draw_rollouts(Scenario("thin", "", 0.3, 0.2, calls=10, weights=(0.3,)), 40, np.random.default_rng(4))
    assert (rollouts.calls == 0).any()

    both = (
        (
            judge_objective_sample(rollouts),
            judge_objective(rollouts, TOLERATED_RATE, HARMFUL_RATE, CONFIDENCE),
        ),
        (judge_comparison_sample(rollouts), judge_comparison(rollouts, TOLERATED, HARMFUL, CONFIDENCE)),
    )
    assert all(largest_difference(sample, vectorised) < 1e-9 for sample, vectorised in both)


def test_heavy_canary_and_failing_stable_agree() -> None:
    heavy = draw_rollouts(Scenario("", "", 0.05, 0.01, weights=(0.98,)), 30, np.random.default_rng(5))
    incident = draw_rollouts(Scenario("", "", 0.9, 0.9), 30, np.random.default_rng(6))

    for rollouts in (heavy, incident):
        vectorised = judge_comparison(rollouts, TOLERATED, HARMFUL, CONFIDENCE)
        assert largest_difference(judge_comparison_sample(rollouts), vectorised) < 1e-9
    assert not judge_comparison(incident, TOLERATED, HARMFUL, CONFIDENCE).fine.any()


def test_difference_of_a_finding_or_of_evidence_is_reported() -> None:
    rollouts = draw_rollouts(FAULTS[0], 10, np.random.default_rng(7))
    sample = agreement.judge_objective_sample(rollouts)
    other = agreement.judge_objective_sample(
        Rollouts(rollouts.calls, np.maximum(rollouts.failures - 1, 0), rollouts.stable_calls, rollouts.stable_failures)
    )

    assert largest_difference(sample, other) > 1e-3


def test_rollout_that_is_aborted_before_the_fault_is_left_out() -> None:
    aborts, fine = np.array([3, 0, 16, 30]), np.array([0, 5, 2, 30])

    outcome = count_outcome(aborts, minutes=30, begin=15, fine=fine)

    assert (outcome.aborted.runs, outcome.aborted_before) == (3, 1)
    assert [minute for minute, count in enumerate(outcome.aborted.by_minute, 1) if count] == [1, 15]
    assert outcome.fine is not None
    assert outcome.fine.count == 2, "a canary is not fine once it is aborted"


def test_command_writes_counts_and_tables_and_exits_with_1_if_a_claim_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: list[Result]
) -> None:
    page, counts = tmp_path / "page.md", tmp_path / "counts.json"
    page.write_text("before\n<!-- simulation: begin -->\nformer tables\n<!-- simulation: end -->\nafter\n")
    aborting = Outcome(Times(60, [60] + [0] * 29), Times(60, [0] * 30))
    changed = replace(results[1], outcomes=results[1].outcomes | {"compare": aborting})
    monkeypatch.setattr(command, "run_scenarios", lambda *_: iter([results[0], changed, *results[2:]]))
    monkeypatch.setattr("sys.argv", ["simulation", "--json", str(counts), "--page", str(page)])

    assert command.main() == 1

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("==> H1")
    assert any(line.startswith("ok compare: false aborts in H1 0 % <= 0.1 %") for line in printed)
    assert "BROKEN compare: false aborts in H2 100 % <= 0.1 %" in printed
    written = json.loads(counts.read_text())
    assert written["scenarios"][0]["judges"]["compare"]["runs"] == 60
    assert written["scenarios"][3]["seed"] == [14, 3]
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "former tables" not in text
    assert "**`compare`**" in text


def test_page_without_markers_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text")

    with pytest.raises(SystemExit, match="has no tables to replace"):
        write_page("tables", page)
