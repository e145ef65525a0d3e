"""Schedule of the injected faults: one fault window after another, with a quiet period after each."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.soak.fault_effects import Disturbed, Effect, Observations, ProcessReplaced, ReturnedRunning, SlowedDown
from bench.soak.greedy_tenant import CONDITION_STOPPED, BuildRequest, heavy_condition, read_hostile_backend
from bench.soak.listener_flood import CONNECTION_CLOSED
from bench.soak.processes import SoakProcesses
from bench.soak.worker_killer import WORKER_REPLACED
from bench.soak.workload import BACKEND_TOKEN
from skywalking_provider.mock_oap import FaultKind

FAULT_SECONDS = 4.0
QUIET_SECONDS = 8.0
"""A circuit breaker closes 5 s after the fault, so each fault starts with a closed one."""
MAX_P99_SECONDS = 1.0
"""Limit for the well-behaved namespaces under a fault that they must not notice, on a machine with two cores."""

_SLOW_SECONDS = 0.5
_LARGE_BYTES = 3_900_000  # below the default of maxAnswerBytes, so that it is parsed
_LOG_PIPE_FULL = "log pipe full"


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault with a start and an end.

    Attributes:
        name: Name of the fault in results and messages.
        expected_effect: Effect that each window of the fault must show. A fault without an effect tests nothing.
        begin: Starts the fault.
        end: Ends the fault.
        kills_process: Whether a process ends. The second half of a soak test measures growth, so no process ends there.
        unnoticed: Whether the 99th percentile of the well-behaved namespaces must stay within MAX_P99_SECONDS.
    """

    name: str
    expected_effect: Effect
    begin: Callable[[SoakProcesses], Awaitable[None]]
    end: Callable[[SoakProcesses], Awaitable[None]]
    kills_process: bool = False
    unnoticed: bool = False


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


def _greedy_tenant(name: str, build: BuildRequest, effect: Disturbed, *fault: object, **details: object) -> FaultWindow:
    async def begin(processes: SoakProcesses) -> None:
        for kind in fault:
            await processes.hostile.add_fault(FaultKind(str(kind)), **details)
        processes.greedy.start(build)

    async def end(processes: SoakProcesses) -> None:
        await processes.greedy.stop()
        await processes.hostile.clear_faults()

    return FaultWindow(name, effect, begin, end, unnoticed=True)


async def _suspend_log_reader(processes: SoakProcesses) -> None:
    processes.service.log.suspend()


async def _resume_log_reader(processes: SoakProcesses) -> None:
    if processes.service.log.is_full:
        processes.on_disturbance(_LOG_PIPE_FULL)
    processes.service.log.resume()


async def _flood_listeners(processes: SoakProcesses) -> None:
    processes.flood.start()


async def _stop_flood(processes: SoakProcesses) -> None:
    await processes.flood.stop()


async def _kill_workers(processes: SoakProcesses) -> None:
    processes.killer.start()


async def _stop_killing_workers(processes: SoakProcesses) -> None:
    await processes.killer.stop()


async def _do_nothing(_: SoakProcesses) -> None:
    return


# What the disturbing part sees: the others must see nothing.
_INVALID = Disturbed(frozenset({"OAP_RESPONSE_INVALID"}))
_WORKERS_REPLACED = Disturbed(frozenset({WORKER_REPLACED}))
_PIPE_FULL = Disturbed(frozenset({_LOG_PIPE_FULL}))
_CONNECTIONS_CLOSED = Disturbed(frozenset({CONNECTION_CLOSED}))
_STOPPED = Disturbed(frozenset({CONDITION_STOPPED, "PROVIDER_OVERLOADED"}))

FAULT_WINDOWS = (
    _oap_fault("OAP slow", FaultKind.LATENCY, seconds=_SLOW_SECONDS, expected_effect=SlowedDown(_SLOW_SECONDS)),
    FaultWindow("service killed", _PROVIDER_UNAVAILABLE, _kill_service, _start_service, kills_process=True),
    _greedy_tenant("greedy conditions", heavy_condition, _STOPPED),
    _oap_fault("OAP resets connections", FaultKind.RESET),
    FaultWindow("CEL workers killed", _WORKERS_REPLACED, _kill_workers, _stop_killing_workers, unnoticed=True),
    FaultWindow("service suspended", _PROVIDER_UNAVAILABLE, _suspend_service, _resume_service),
    _oap_fault("OAP 503 with the credential", FaultKind.RESPONSE, status=503, body=f"not for {BACKEND_TOKEN}"),
    FaultWindow("bridge killed", ProcessReplaced("bridge"), _kill_bridge, _do_nothing, kills_process=True),
    _greedy_tenant("wrong-typed responses", read_hostile_backend, _INVALID, FaultKind.WRONG_TYPES, size=_LARGE_BYTES),
    _oap_fault("OAP sends no response", FaultKind.HANG),
    FaultWindow("log reader stuck", _PIPE_FULL, _suspend_log_reader, _resume_log_reader, unnoticed=True),
    FaultWindow("OAP restarts", _OAP_UNAVAILABLE, SoakProcesses.stop_oap, SoakProcesses.start_oap),
    _greedy_tenant("huge responses", read_hostile_backend, _INVALID, FaultKind.HUGE),
    _oap_fault("OAP 500", FaultKind.STATUS, status=500),
    FaultWindow("listeners flooded", _CONNECTIONS_CLOSED, _flood_listeners, _stop_flood, unnoticed=True),
    _oap_fault("OAP response truncated", FaultKind.TRUNCATED),
    _oap_fault("proxy error page", FaultKind.HTML, status=502),
    _oap_fault("OAP storage down", FaultKind.STORAGE_DOWN, seconds=0.5),
)


EXPECTED_EFFECTS = {fault.name: fault.expected_effect for fault in FAULT_WINDOWS}
P99_LIMITS = {fault.name: MAX_P99_SECONDS for fault in FAULT_WINDOWS if fault.unnoticed}


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
