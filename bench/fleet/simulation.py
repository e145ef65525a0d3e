"""Simulation of a fleet: parameters in, counts out. The same seed gives the same counts."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.fleet.bridge import Bridge
from bench.fleet.caches import SharedCache
from bench.fleet.calls import Run
from bench.fleet.controller import Controller
from bench.fleet.event_loop import EventLoop
from bench.fleet.model import INTERVAL_SECONDS, Arrival, Fleet, OapLoss, Placement, ReplicaLoss
from bench.fleet.oap_pool import OapPool
from bench.fleet.replica import Replica
from bench.fleet.tally import Tally

_CLEAN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """Counts of a simulation.

    Attributes:
        fleet: The fleet.
        seconds: Length of the counted time.
        tally: The counts.
        unfinished: Measurements that were in progress at the end.
        paused: Rollouts that were paused.
    """

    fleet: Fleet
    seconds: float
    tally: Tally
    unfinished: int
    paused: int

    @property
    def oap_requests_per_second(self) -> float:
        """OAP requests of metrics per second."""
        return self.tally.oap_requests.total() / self.seconds

    @property
    def utilisation(self) -> Sequence[float]:
        """Share of the counted time in which each replica's core worked."""
        return [self.tally.busy[number] / self.seconds for number in range(self.fleet.replicas)]


def simulate(fleet: Fleet, warm_up: float, seconds: float, losses: Sequence[ReplicaLoss | OapLoss] = ()) -> Result:
    """Simulate a fleet. Counts begin after the warm-up."""
    rng = random.Random(fleet.seed)  # noqa: S311 - not for cryptography
    loop, tally, oaps = EventLoop(), Tally(warm_up), OapPool(fleet)
    shared = SharedCache() if fleet.placement is Placement.SHARED_CACHE else None
    replicas = [Replica(number, fleet, loop, oaps, shared, tally, rng) for number in range(fleet.replicas)]
    bridges = [Bridge(fleet.placement, replicas, loop, tally, rng, number) for number in range(fleet.controllers)]
    controllers = []
    for bridge in bridges:
        controller = Controller(fleet, loop, tally, bridge.send)
        bridge.end_call = controller.end_call
        controllers.append(controller)
    runs = []
    for number in range(fleet.rollouts):
        due = rng.random() * INTERVAL_SECONDS if fleet.arrival is Arrival.SPREAD else 0.0
        run = Run(number, number % fleet.services, fleet.metrics, due)
        runs.append(run)
        loop.at(due, controllers[number % fleet.controllers].wake, run)
    for loss in losses:
        _plan(loss, loop, oaps, replicas, bridges)
    _plan_cleaning(loop, replicas)
    loop.run(warm_up + seconds)
    unfinished = sum(started is not None for run in runs for started in run.started)
    return Result(fleet, seconds, tally, unfinished, sum(run.paused for run in runs))


def _plan(
    loss: ReplicaLoss | OapLoss,
    loop: EventLoop,
    oaps: OapPool,
    replicas: Sequence[Replica],
    bridges: Sequence[Bridge],
) -> None:
    if isinstance(loss, OapLoss):
        loop.at(loss.at, lambda: oaps.lose(loss, loop.now))
        loop.at(loss.at + loss.away, lambda: oaps.restore(loop.now))
        return
    lost = replicas[0]

    def disconnect() -> None:
        lost.connected = False
        for bridge in bridges:
            bridge.update()
        lost.disconnect()

    def start_again() -> None:
        lost.start_again()
        for bridge in bridges:
            bridge.update()

    loop.at(loss.at, lost.stop)
    loop.at(loss.at + loss.unnoticed, disconnect)
    loop.at(loss.at + loss.away, start_again)


def _plan_cleaning(loop: EventLoop, replicas: Sequence[Replica]) -> None:
    def clean() -> None:
        for replica in replicas:
            replica.forget_expired()
        _plan_cleaning(loop, replicas)

    loop.at(loop.now + _CLEAN_SECONDS, clean)
