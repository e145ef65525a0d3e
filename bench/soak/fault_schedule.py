"""Schedule of the injected faults: one fault window after another, with a quiet period after each."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.soak.fault_effects import Effect, Observations, ProcessReplaced, ReturnedRunning, SlowedDown
from bench.soak.processes import SoakProcesses
from bench.soak.workload import BACKEND_TOKEN
from skywalking_provider.mock_oap import FaultKind

FAULT_SECONDS = 4.0
QUIET_SECONDS = 8.0
"""A circuit breaker closes 5 s after the fault, so each fault starts with a closed one."""
_SLOW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault with a start and an end.

    Attributes:
        name: Name of the fault in results and messages.
        expected_effect: Effect that each window of the fault must show. A fault without an effect tests nothing.
        begin: Starts the fault.
        end: Ends the fault.
        kills_process: Whether a process ends. The second half of a soak test measures growth, so no process ends there.
    """

    name: str
    expected_effect: Effect
    begin: Callable[[SoakProcesses], Awaitable[None]]
    end: Callable[[SoakProcesses], Awaitable[None]]
    kills_process: bool = False


_OAP_UNAVAILABLE, _PROVIDER_UNAVAILABLE = ReturnedRunning("OAP_UNAVAILABLE"), ReturnedRunning("PROVIDER_UNAVAILABLE")


def _oap_fault(
    name: str, kind: FaultKind, *, expected_effect: Effect = _OAP_UNAVAILABLE, **details: object
) -> FaultWindow:
    async def begin(processes: SoakProcesses) -> None:
        processes.oap.add_fault(kind, **details)

    async def end(processes: SoakProcesses) -> None:
        processes.oap.clear_faults()

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
    _oap_fault("OAP slow", FaultKind.LATENCY, seconds=_SLOW_SECONDS, expected_effect=SlowedDown(_SLOW_SECONDS)),
    FaultWindow("service killed", _PROVIDER_UNAVAILABLE, _kill_service, _start_service, kills_process=True),
    _oap_fault("OAP resets connections", FaultKind.RESET),
    FaultWindow("service suspended", _PROVIDER_UNAVAILABLE, _suspend_service, _resume_service),
    _oap_fault("OAP 503 with the credential", FaultKind.RESPONSE, status=503, body=f"not for {BACKEND_TOKEN}"),
    FaultWindow("bridge killed", ProcessReplaced("bridge"), _kill_bridge, _do_nothing, kills_process=True),
    _oap_fault("OAP sends no response", FaultKind.HANG),
    FaultWindow("OAP restarts", _OAP_UNAVAILABLE, SoakProcesses.stop_oap, SoakProcesses.start_oap),
    _oap_fault("OAP 500", FaultKind.STATUS, status=500),
    _oap_fault("OAP response truncated", FaultKind.TRUNCATED),
    _oap_fault("proxy error page", FaultKind.HTML, status=502),
    _oap_fault("OAP storage down", FaultKind.STORAGE_DOWN, seconds=0.5),
)


EXPECTED_EFFECTS = {fault.name: fault.expected_effect for fault in FAULT_WINDOWS}


async def run_fault_schedule(processes: SoakProcesses, seconds: float, observations: Observations) -> None:
    """Repeat the faults for this many seconds; end with a quiet period."""
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    while True:
        for fault in FAULT_WINDOWS:
            elapsed = loop.time() - started_at
            if elapsed + FAULT_SECONDS + QUIET_SECONDS > seconds:
                return
            if fault.kills_process and elapsed > seconds / 2:
                continue
            observations.begin_fault(fault.name)
            await fault.begin(processes)
            await asyncio.sleep(FAULT_SECONDS)
            await fault.end(processes)
            observations.end_fault()
            await asyncio.sleep(QUIET_SECONDS)
