"""Judges that others use: thresholds, an exact bound, and tests that are repeated at each look.

A judge returns whether each look fails. A look is made after each minute, with the minutes of the rollout so far.
`failureLimit` is Argo's: the number of failed looks that do not abort a rollout.
"""

from typing import Final

import numpy as np
from scipy.special import bdtrc, gammaln  # type: ignore[import-untyped]

from bench.simulation.scenarios import Flags, Floats, Ints, Rollouts

OBJECTIVE: Final = 0.99
"""Success rate that the judges without a stable side want."""
_TEMPLATE_MINUTES, _WINDOW_MINUTES = 3, 10


def fail_template(rollouts: Rollouts) -> Flags:
    """Return whether one of the last three minutes has a success rate below 99 %, as the talk's template does."""
    below = _is_below(rollouts.failures, rollouts.calls)
    return _sum_last(below.astype(np.int64), _TEMPLATE_MINUTES) > 0


def fail_ratio(rollouts: Rollouts) -> Flags:
    """Return whether the success rate of the last ten minutes is below 99 %."""
    return _is_below(_sum_last(rollouts.failures, _WINDOW_MINUTES), _sum_last(rollouts.calls, _WINDOW_MINUTES))


def fail_exact_bound(rollouts: Rollouts, confidence: float = 0.95) -> Flags:
    """Return whether the lower bound of the failure rate of the last ten minutes is above 1 %.

    Clopper & Pearson, Biometrika 26(4), 1934, one-sided. The bound is above a rate if the probability of as many
    failures at that rate is below 5 %.
    """
    calls, failures = _sum_last(rollouts.calls, _WINDOW_MINUTES), _sum_last(rollouts.failures, _WINDOW_MINUTES)
    probability: Floats = bdtrc(np.maximum(failures, 1) - 1, calls, 1 - OBJECTIVE)
    return (failures > 0) & (probability < 1 - confidence)


def fail_fisher(rollouts: Rollouts, level: float = 0.05) -> Flags:
    """Return whether Fisher's exact test finds the canary's rate above stable's, over all minutes so far."""
    calls, failures, stable_calls, stable_failures = (
        np.cumsum(one, axis=1)
        for one in (rollouts.calls, rollouts.failures, rollouts.stable_calls, rollouts.stable_failures)
    )
    return fisher_p_value(failures, calls, stable_failures, stable_calls) < level


def fisher_p_value(failures: Ints, calls: Ints, stable_failures: Ints, stable_calls: Ints) -> Floats:
    """Return the one-sided p-value of Fisher's exact test: the probability of at least as many failed canary calls.

    Given the number of all failures, those of the canary have a hypergeometric distribution if both rates are equal.
    """
    total = failures + stable_failures
    first = (
        _log_choose(calls, failures)
        + _log_choose(stable_calls, stable_failures)
        - _log_choose(calls + stable_calls, total)
    )
    # Each term follows from the one before; those after the last possible number of failures are 0.
    term = np.ones(first.shape)
    tail = np.ones(first.shape)
    number, remaining = failures.astype(float), stable_failures.astype(float)
    while term.max(initial=0) > 0:
        numerator = np.maximum(calls - number, 0) * np.maximum(remaining, 0)
        term = term * numerator / ((number + 1) * (stable_calls - remaining + 1))
        term[term < 1e-12 * tail] = 0
        tail += term
        number, remaining = number + 1, remaining - 1
    return np.minimum(1, np.exp(first) * tail)


def count_failed_looks(failed: Flags, failure_limit: int) -> Ints:
    """Return the look that aborts each rollout, from 1; 0 for none.

    Args:
        failed: Whether each look fails.
        failure_limit: Number of failed looks that do not abort.
    """
    aborted = np.cumsum(failed, axis=1) > failure_limit
    return np.where(aborted.any(axis=1), aborted.argmax(axis=1) + 1, 0)


def _is_below(failures: Ints, calls: Ints) -> Flags:
    # SkyWalking's success rate is a whole number of 1/10,000. A minute without calls has no value.
    return (calls > 0) & ((calls - failures) * 10_000 // np.maximum(calls, 1) < OBJECTIVE * 10_000)


def _sum_last(values: Ints, minutes: int) -> Ints:
    total = np.cumsum(values, axis=1)
    total[:, minutes:] -= total[:, :-minutes].copy()
    return total


def _log_choose(calls: Ints, failures: Ints) -> Floats:
    logarithm: Floats = gammaln(calls + 1) - gammaln(failures + 1) - gammaln(calls - failures + 1)
    return logarithm
