"""Choice of the weight at which a rollout waits for the verdict. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from skywalking_provider.block import IndicatorName, JudgedSpec
from skywalking_provider.tools.suggest.model import Survey
from skywalking_provider.tools.suggest.verdict_time import VerdictTime, estimate_verdict_time

DEFAULT_WAIT: Final = 15
"""Minutes that a judged block waits for a finding by default."""
LONGEST_WAIT: Final = 60
"""Minutes of the longest wait that is suggested."""
_ACCEPTED_WAIT: Final = 30
"""Minutes of a verdict for which no larger weight is chosen."""
_ROUND: Final = 5


@dataclass(frozen=True, slots=True)
class WeightTimes:
    """Time until a verdict at one weight.

    Attributes:
        weight: Canary's share of the calls in percent.
        times: Time of each metric.
    """

    weight: float
    times: Mapping[IndicatorName, VerdictTime]

    @property
    def most(self) -> float:
        """Minutes in which nine of ten runs have the verdicts of all metrics."""
        return max(float("inf") if one.most is None else one.most for one in self.times.values())


def estimate_weights(specs: Sequence[JudgedSpec], survey: Survey, weights: Sequence[float]) -> list[WeightTimes]:
    """Return the time until a verdict at each weight."""
    return [
        WeightTimes(weight, {spec.sli: estimate_verdict_time(spec, survey, weight) for spec in specs})
        for weight in weights
    ]


def choose_weight(times: Sequence[WeightTimes]) -> int:
    """Return the position of the first weight with a verdict in time, else of the weight with the fastest verdict.

    At a small weight, a bad canary harms fewer users. Of equally slow weights the last is chosen, which has most calls.
    """
    quick = next((at for at, one in enumerate(times) if one.most <= _ACCEPTED_WAIT), None)
    if quick is not None:
        return quick
    return min(range(len(times)), key=lambda at: (times[at].most, -at))


def choose_wait(most: int | None) -> int:
    """Return the minutes of `maxWait` in which a verdict is usual."""
    if most is None:
        return LONGEST_WAIT
    return max(DEFAULT_WAIT, min(LONGEST_WAIT, -(-(most + 1) // _ROUND) * _ROUND))
