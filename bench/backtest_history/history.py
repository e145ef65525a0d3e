"""Eight hours of a service with noise, a deploy that was bad, and a good one during an incident of the whole service.

The noise is that of scenario H1 of `make simulate`: calls are Poisson around a level, calls fail independently.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.simulation.scenarios import Ints, draw_levels

MINUTES: Final = 480
CALLS: Final = 1200
"""Calls of the service per minute, as in scenario H1."""
FAILURE_RATE: Final = 0.005
BAD_RATE: Final = 0.05
INCIDENT_RATE: Final = 0.2
LEVEL_MINUTES: Final = 30
"""Minutes of the same level of traffic."""
PODS: Final = 10
CANARY_SHARE: Final = 0.1
OLD, BAD, GOOD = "7d4f9c8b65", "6c85f7bf4", "58b69fdc9c"
SERVICE: Final = "reviews.bookinfo"
LATENCY: Final = 40
BAD_DEPLOY: Final = range(90, 130)
GOOD_DEPLOY: Final = range(300, 345)
"""Minutes of the good canary; from its end on, all pods are of this version."""
INCIDENT: Final = range(315, 318)
_SUFFIXES: Final = ("2xkqz", "9zr8t", "h6pnw", "pk4tz", "rt5mj", "w8vzd", "bq2ln", "cx7gs", "fd9hk", "z4jrp")


@dataclass(frozen=True, slots=True)
class PodMinutes:
    """Calls and failed calls of one pod by minute."""

    calls: Ints
    failures: Ints


PodHistory = Mapping[str, PodMinutes]
"""Minutes of pods by their names."""


def draw_history(random: np.random.Generator) -> PodHistory:
    """Draw the history of all pods."""
    levels = np.repeat(draw_levels(random, MINUTES // LEVEL_MINUTES)[:, 0], LEVEL_MINUTES)
    return {name: _draw_pod(random, shares, rate, levels) for name, shares, rate in _plan_pods()}


def _plan_pods() -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.float64]], float]]:
    """Yield the name, the shares of the calls by minute, and the failure rate of each pod."""
    minute = np.arange(MINUTES)
    deploys = np.isin(minute, [*BAD_DEPLOY, *GOOD_DEPLOY])
    after = minute >= GOOD_DEPLOY.stop
    for suffix in _SUFFIXES:
        stable = np.where(deploys, (1 - CANARY_SHARE) / PODS, 1 / PODS)
        yield f"reviews-{OLD}-{suffix}", np.where(after, 0.0, stable), FAILURE_RATE
    yield f"reviews-{BAD}-{_SUFFIXES[0]}", np.where(np.isin(minute, BAD_DEPLOY), CANARY_SHARE, 0.0), BAD_RATE
    for at, suffix in enumerate(_SUFFIXES):
        canary = CANARY_SHARE if at == 0 else 0.0
        shares = np.where(np.isin(minute, GOOD_DEPLOY), canary, np.where(after, 1 / PODS, 0.0))
        yield f"reviews-{GOOD}-{suffix}", shares, FAILURE_RATE


def _draw_pod(
    random: np.random.Generator,
    shares: np.ndarray[tuple[int], np.dtype[np.float64]],
    rate: float,
    levels: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> PodMinutes:
    rates = np.full(MINUTES, rate)
    rates[list(INCIDENT)] = INCIDENT_RATE
    calls = random.poisson(CALLS * levels * shares)
    return PodMinutes(calls, random.binomial(calls, rates))


def format_history(pods: PodHistory, first_minute: int) -> Iterator[str]:
    """Yield the lines of the history for `History.java`, in order of time.

    Args:
        pods: Minutes of the pods.
        first_minute: First minute since the epoch.
    """
    for minute in range(MINUTES):
        for name, one in pods.items():
            if calls := one.calls[minute]:
                yield f"{first_minute + minute} {SERVICE} {name} {calls} {one.failures[minute]} {LATENCY}"
