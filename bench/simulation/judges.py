"""Judges that are simulated, and how often."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.simulation.baselines import fail_exact_bound, fail_fisher, fail_ratio, fail_template
from bench.simulation.mann_whitney import fail_mann_whitney
from bench.simulation.scenarios import Flags, Rollouts
from skywalking_provider.judgement import Confidence, Limit

CONFIDENCE: Final = Confidence()
TOLERATED_RATE: Final = 0.01
"""Failure rate of the objective of 99 %."""
HARMFUL_RATE: Final = 0.03
TOLERATED: Final = Limit(0.001, 1.25)
"""Defaults of `compare` for the success rate."""
HARMFUL: Final = Limit(0.01, 3.0)
TOLERATED_LATENCY: Final = Limit(10, 1.25)
"""Defaults of `compare` for the latency, in milliseconds."""
HARMFUL_LATENCY: Final = Limit(50, 2)

RUNS: Final = 20_000
LATENCY_RUNS: Final = 2_000
OBJECTIVE_JUDGE: Final = "objective"
COMPARISON_JUDGE: Final = "compare"
OURS: Final = (OBJECTIVE_JUDGE, COMPARISON_JUDGE)


@dataclass(frozen=True, slots=True)
class BaselineJudge:
    """Judge that others use.

    Attributes:
        name: Name in the results.
        fail: Returns whether each look fails.
        failure_limit: Number of failed looks that do not abort a rollout.
        runs: Rollouts of each scenario.
    """

    name: str
    fail: Callable[[Rollouts], Flags]
    failure_limit: int = 0
    runs: int = RUNS


BASELINES: Final = (
    BaselineJudge("talk's template, failureLimit 0", fail_template),
    BaselineJudge("talk's template, failureLimit 3", fail_template, 3),
    BaselineJudge("ratio of 10 minutes ≥ 99 %, failureLimit 0", fail_ratio),
    BaselineJudge("ratio of 10 minutes ≥ 99 %, failureLimit 3", fail_ratio, 3),
    BaselineJudge("exact bound 95 %", fail_exact_bound),
    BaselineJudge("Fisher's test, 5 %", fail_fisher, runs=3_000),
    BaselineJudge("Mann–Whitney, as Kayenta", fail_mann_whitney, runs=1_000),
)
