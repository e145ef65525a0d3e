"""The faults of a soak, one after another with calm between them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.soak.fault_effects import Effect, Observations, ProcessReplaced, ReturnedRunning, SlowedDown
from bench.soak.processes import SoakProcesses
from bench.soak.workload import BACKEND_TOKEN

FAULT_SECONDS, QUIET_SECONDS = 4.0, 8.0
_SLOW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault that begins and ends.

    Attributes:
        expected_effect: What it must be seen to do: a fault that hurts nobody proves nothing.
        kills_process: Whether a process ends. No process ends in the second half of a soak, which checks for growth.
    """

    name: str
    expected_effect: Effect
    begin: Callable[[SoakProcesses], Awaitable[None]]
    end: Callable[[SoakProcesses], Awaitable[None]]
    kills_process: bool = False


_OAP_UNAVAILABLE, _PROVIDER_UNAVAILABLE = ReturnedRunning("OAP_UNAVAILABLE"), ReturnedRunning("PROVIDER_UNAVAILABLE")


def _oap_fault(name: str, kind: str, *, expected_effect: Effect = _OAP_UNAVAILABLE, **details: object) -> FaultWindow:
    async def begin(parts: SoakProcesses) -> None:
        parts.oap.add_fault(kind, **details)

    async def end(parts: SoakProcesses) -> None:
        parts.oap.clear_faults()

    return FaultWindow(name, expected_effect, begin, end)


async def _suspend_service(processes: SoakProcesses) -> None:
    processes.service.signal(signal.SIGSTOP)


async def _resume_service(processes: SoakProcesses) -> None:
    processes.service.signal(signal.SIGCONT)


async def _kill_service(processes: SoakProcesses) -> None:
    await processes.service.stop()


async def _start_service(processes: SoakProcesses) -> None:
    await processes.service.start()


async def _kill_bridge(processes: SoakProcesses) -> None:
    processes.kill_bridge()


async def _do_nothing(_: SoakProcesses) -> None:
    return


FAULT_WINDOWS = (
    _oap_fault("OAP slow", "latency", seconds=_SLOW_SECONDS, expected_effect=SlowedDown(_SLOW_SECONDS)),
    FaultWindow("service killed", _PROVIDER_UNAVAILABLE, _kill_service, _start_service, kills_process=True),
    _oap_fault("OAP resets", "reset"),
    FaultWindow("service stopped", _PROVIDER_UNAVAILABLE, _suspend_service, _resume_service),
    _oap_fault("OAP 503, repeats the credential", "answer", status=503, body=f"not for {BACKEND_TOKEN}"),
    FaultWindow("bridge killed", ProcessReplaced("bridge"), _kill_bridge, _do_nothing, kills_process=True),
    _oap_fault("OAP hangs", "hang"),
    FaultWindow("OAP restarts", _OAP_UNAVAILABLE, SoakProcesses.stop_oap, SoakProcesses.start_oap),
    _oap_fault("OAP 500", "status", status=500),
    _oap_fault("OAP breaks off", "truncated"),
    _oap_fault("a proxy's page", "html", status=502),
    _oap_fault("OAP's storage down", "storage-down", seconds=0.5),
)


EXPECTED_EFFECTS = {spell.name: spell.expected_effect for spell in FAULT_WINDOWS}


async def run_fault_schedule(processes: SoakProcesses, seconds: float, observations: Observations) -> None:
    """Spells for so long; ends in calm."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        for spell in FAULT_WINDOWS:
            elapsed = loop.time() - began
            if elapsed + FAULT_SECONDS + QUIET_SECONDS > seconds:
                return
            if spell.kills_process and elapsed > seconds / 2:
                continue
            observations.begin_fault(spell.name)
            await spell.begin(processes)
            await asyncio.sleep(FAULT_SECONDS)
            await spell.end(processes)
            observations.end_fault()
            await asyncio.sleep(QUIET_SECONDS)
