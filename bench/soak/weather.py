"""The faults of a soak, one after another with calm between them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.soak.bites import Record, Replaced, Sign, Slowed, Waited
from bench.soak.canaries import BACKEND_TOKEN
from bench.soak.parts import Parts

SPELL_SECONDS, CALM_SECONDS = 4.0, 8.0
_SLOW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault that begins and ends.

    Attributes:
        shows: What it must be seen to do: a fault that hurts nobody proves nothing.
        kills: Whether a process ends. In the second half of a soak none does, so that it can be seen not to grow.
    """

    name: str
    shows: Sign
    begin: Callable[[Parts], Awaitable[None]]
    end: Callable[[Parts], Awaitable[None]]
    kills: bool = False


_OAP_AWAY, _PROVIDER_AWAY = Waited("OAP_UNAVAILABLE"), Waited("PROVIDER_UNAVAILABLE")


def _faulty(name: str, kind: str, *, shows: Sign = _OAP_AWAY, **details: object) -> Spell:
    async def begin(parts: Parts) -> None:
        parts.oap.fault(kind, **details)

    async def end(parts: Parts) -> None:
        parts.oap.clear_faults()

    return Spell(name, shows, begin, end)


async def _stop_service(parts: Parts) -> None:
    parts.service.signal(signal.SIGSTOP)


async def _continue_service(parts: Parts) -> None:
    parts.service.signal(signal.SIGCONT)


async def _kill_service(parts: Parts) -> None:
    await parts.service.stop()


async def _start_service(parts: Parts) -> None:
    await parts.service.start()


async def _kill_bridge(parts: Parts) -> None:
    parts.kill_bridge()


async def _nothing(_: Parts) -> None:
    return


SPELLS = (
    _faulty("OAP slow", "latency", seconds=_SLOW_SECONDS, shows=Slowed(_SLOW_SECONDS)),
    Spell("service killed", _PROVIDER_AWAY, _kill_service, _start_service, kills=True),
    _faulty("OAP resets", "reset"),
    Spell("service stopped", _PROVIDER_AWAY, _stop_service, _continue_service),
    _faulty("OAP 503, repeats the credential", "answer", status=503, body=f"not for {BACKEND_TOKEN}"),
    Spell("bridge killed", Replaced("bridge"), _kill_bridge, _nothing, kills=True),
    _faulty("OAP hangs", "hang"),
    Spell("OAP restarts", _OAP_AWAY, Parts.stop_oap, Parts.start_oap),
    _faulty("OAP 500", "status", status=500),
    _faulty("OAP breaks off", "truncated"),
    _faulty("a proxy's page", "html", status=502),
    _faulty("OAP's storage down", "storage-down", seconds=0.5),
)


SIGNS = {spell.name: spell.shows for spell in SPELLS}


async def weather(parts: Parts, seconds: float, record: Record) -> None:
    """Spells for so long; ends in calm."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        for spell in SPELLS:
            elapsed = loop.time() - began
            if elapsed + SPELL_SECONDS + CALM_SECONDS > seconds:
                return
            if spell.kills and elapsed > seconds / 2:
                continue
            record.begins(spell.name)
            await spell.begin(parts)
            await asyncio.sleep(SPELL_SECONDS)
            await spell.end(parts)
            record.ends()
            await asyncio.sleep(CALM_SECONDS)
