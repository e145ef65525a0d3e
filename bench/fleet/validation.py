"""Comparison of the model with measurements of `make bench`: the same loads on one replica and one OAP."""

from dataclasses import dataclass, replace
from typing import Final

from bench import statistics
from bench.fleet.costs import SHARED_SERVICES, Costs
from bench.fleet.model import Arrival, Fleet
from bench.fleet.scenarios import build_fleet
from bench.fleet.simulation import Result, simulate
from bench.fleet.tally import quantile
from bench.statistics import LEVELS, Raw, select

_UNLIMITED: Final = 10**9
_BURST_RUNS: Final = 1_000
_CLOSED_RUNS: Final = 3_000  # of a load with a number in flight, enough for its median


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of the model beside the measured one.

    Attributes:
        name: Name of the figure.
        unit: Its unit.
        measured: Measured value.
        modelled: Value of the model.
    """

    name: str
    unit: str
    measured: float
    modelled: float

    @property
    def deviation(self) -> float:
        """Deviation of the model, as a share of the measured value."""
        return self.modelled / self.measured - 1


def compare_with_measurements(raw: Raw, costs: Costs) -> list[Comparison]:
    """Return the figures that were measured and not used as a cost."""
    burst = simulate_burst(costs)
    tally = burst.tally
    requests = statistics.median_of_rows(
        select(raw["burst"], system="provider"),
        lambda row: row["oap"]["requests"]["read"] / row["latencyMs"]["count"],
    )
    return [
        Comparison("burst: wall time", "s", statistics.burst_seconds(raw, "provider"), max(tally.lateness)),
        Comparison(
            "burst: metric requests per measurement",
            "",
            requests,
            tally.oap_requests.total() / tally.ended.total(),
        ),
        Comparison(
            "burst: p99",
            "ms",
            statistics.burst_p99_ms(raw, "provider"),
            1000 * quantile(tally.latencies, 0.99),
        ),
        *(
            Comparison(
                f"uncached, {level} in flight: p50",
                "ms",
                statistics.latency_ms(raw, "provider", level, "p50"),
                1000 * quantile(simulate_closed_load(costs, level).tally.latencies, 0.5),
            )
            for level in LEVELS
        ),
    ]


def simulate_burst(costs: Costs) -> Result:
    """Simulate the benchmark's burst: 1,000 runs of five metrics on 50 services."""
    fleet = replace(_benchmark_fleet(costs), rollouts=_BURST_RUNS, services=SHARED_SERVICES)
    return simulate(fleet, 0.0, 59.0)


def simulate_closed_load(costs: Costs, in_flight: int) -> Result:
    """Simulate uncached measurements, this many at a time."""
    fleet = replace(_benchmark_fleet(costs), rollouts=_CLOSED_RUNS, services=_CLOSED_RUNS, metrics=1, threads=in_flight)
    return simulate(fleet, 0.0, 59.0)


def _benchmark_fleet(costs: Costs) -> Fleet:
    return replace(
        build_fleet(costs),
        replicas=1,
        oaps=1,
        arrival=Arrival.MINUTE_START,
        patches=float(_UNLIMITED),
        patch_burst=_UNLIMITED,
    )
