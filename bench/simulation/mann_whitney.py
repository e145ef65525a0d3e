"""Mann–Whitney test on the failure rates of minutes, as Kayenta's `MannWhitneyClassifier` uses it.

Kayenta (Apache 2.0, kayenta-judge and kayenta-mannwhitney) classifies a metric as high if the lower end of the 95 %
interval of the shift is above 0.25 × the Hodges–Lehmann estimate. The interval is that of R's `wilcox.test`: normal
approximation with continuity correction and ties. Its lower end is above a number if the statistic at that number is
above 1.96, so no root is searched here. Fewer than four minutes cannot be significant without ties, so the first look
that may fail is the fourth.
"""

from typing import Final

import numpy as np

from bench.simulation.scenarios import Flags, Floats, Rollouts

_FRACTION: Final = 0.25
_MIN_MINUTES: Final = 4
_QUANTILE: Final = 1.959963984540054  # of the normal distribution at 0.975


def fail_mann_whitney(rollouts: Rollouts) -> Flags:
    """Return whether the canary's minutes so far are classified as high. A minute needs calls of both sides."""
    counted = (rollouts.calls > 0) & (rollouts.stable_calls > 0)
    canary = rollouts.failures / np.maximum(rollouts.calls, 1)
    stable = rollouts.stable_failures / np.maximum(rollouts.stable_calls, 1)
    # The minutes that count are moved to the front; their number differs by rollout.
    order = np.argsort(~counted, axis=1, kind="stable")
    canary, stable = np.take_along_axis(canary, order, axis=1), np.take_along_axis(stable, order, axis=1)
    numbers = np.cumsum(counted, axis=1)
    failed = np.zeros(counted.shape, dtype=bool)
    for look in range(counted.shape[1]):
        for minutes in np.unique(numbers[:, look]):
            rows = numbers[:, look] == minutes
            failed[rows, look] = classify_high(canary[rows, :minutes], stable[rows, :minutes])
    return failed


def classify_high(canary: Floats, stable: Floats) -> Flags:
    """Return whether the canary's values are higher. Rows are rollouts, columns minutes."""
    if canary.shape[1] < _MIN_MINUTES:
        return np.zeros(len(canary), dtype=bool)
    differences = (canary[:, :, None] - stable[:, None, :]).reshape(len(canary), -1)
    limit = _FRACTION * np.abs(np.median(differences, axis=1))
    different: Flags = (canary != stable).any(axis=1)
    return different & (_statistic(canary - limit[:, None], stable) > _QUANTILE)


def _statistic(canary: Floats, stable: Floats) -> Floats:
    """Return the standardised rank sum of the canary's values; 0 if all values are tied."""
    size, stable_size = canary.shape[1], stable.shape[1]
    both = size + stable_size
    higher = (canary[:, :, None] > stable[:, None, :]).sum(axis=(1, 2))
    tied = (canary[:, :, None] == stable[:, None, :]).sum(axis=(1, 2))
    excess = higher + tied / 2 - size * stable_size / 2
    values = np.concatenate([canary, stable], axis=1)
    repeated = (values[:, :, None] == values[:, None, :]).sum(axis=2, dtype=np.int64)
    ties = (repeated**2 - 1).sum(axis=1)
    variance = size * stable_size / 12 * (both + 1 - ties / (both * (both - 1)))
    corrected = excess - 0.5 * np.sign(excess)
    return np.where(variance > 0, corrected / np.sqrt(np.where(variance > 0, variance, 1)), 0)
