"""One evaluator in its sandbox: its own memory, no files, no environment, no network, and an end by the clock."""

import math
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from wasmtime import Func, Instance, Linker, Memory, Store, Trap, TrapCode, WasiConfig, WasmtimeError

from skywalking_provider.conditions.expr.wasm_abi import WasmFunction, WasmMemory
from skywalking_provider.conditions.expr.wasm_module import load_compiled_module, new_engine, read_wasm
from skywalking_provider.conditions.limits import StoppedError, StopReason

# How exact a time limit is, and how often a thread wakes to count: 50 times a second are not to be measured.
TICK_SECONDS = 0.02
# Starting takes a few milliseconds; this is for a machine that does not get to it.
_START_SECONDS = 10.0
_FIRST_BUFFER = 4096

_LENGTH = struct.Struct("<I")
_STATISTICS = struct.Struct("<4Q")


@dataclass(frozen=True, slots=True)
class InstanceStatistics:
    """A guest's own account: its cache of compiled conditions, and its heap in bytes."""

    hits: int
    misses: int
    heap_bytes: int
    collections: int


class Sandbox:
    """What all guests of a process share: the machine code and the clock. Making one takes milliseconds, or seconds."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._engine = new_engine()
        self._module = load_compiled_module(self._engine, read_wasm())
        self._linker = Linker(self._engine)
        self._linker.define_wasi()
        self._closed = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="conditions-clock", daemon=True)
        self._clock.start()

    def new_instance(self) -> "WasmInstance":
        """A new evaluator: 2 ms and 5 MiB.

        Raises:
            StoppedError: It does not start.
        """
        try:
            store = Store(self._engine)
            store.set_limits(memory_size=self._memory_bytes)
            store.set_wasi(WasiConfig())  # no arguments, environment, files, standard streams
            store.set_epoch_deadline(_to_ticks(_START_SECONDS))
            return WasmInstance(store, self._linker.instantiate(store, self._module))
        except (Trap, WasmtimeError) as error:
            raise StoppedError(StopReason.UNAVAILABLE, str(error)) from error

    def interrupt(self, seconds: float) -> None:
        """End every evaluation that would go on for up to so many seconds."""
        for _ in range(_to_ticks(seconds)):
            self._engine.increment_epoch()

    def close(self) -> None:
        """Stop the clock. Only when no guest runs any more: nothing would end it."""
        self._closed.set()
        self._clock.join()

    def _tick(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            self._engine.increment_epoch()


class WasmInstance:
    """One instance. One thread at a time; after a StoppedError it is dead."""

    def __init__(self, store: Store, instance: Instance) -> None:
        self._store = store
        exports = instance.exports(store)
        self._functions = {name: WasmFunction(store, one) for name, one in exports.items() if isinstance(one, Func)}
        memory = exports["memory"]
        if not isinstance(memory, Memory):
            raise StoppedError(StopReason.UNAVAILABLE, "expr.wasm exports no memory")
        self._memory = WasmMemory(store, memory)
        self._functions["_initialize"]()
        self._buffer = 0
        self._buffer_size = 0

    @property
    def memory_bytes(self) -> int:
        """How large the guest's memory has grown; it never shrinks."""
        return len(self._memory)

    def call(self, export: str, fields: Sequence[bytes], seconds: float) -> list[bytes]:
        """Call an export with a row of fields; give the fields of its answer.

        Raises:
            StoppedError: It took longer than so many seconds, or needed more memory or stack than there is.
        """
        request = b"".join(part for field in fields for part in (_LENGTH.pack(len(field)), field))
        self._store.set_epoch_deadline(_to_ticks(seconds))
        try:
            if len(request) > self._buffer_size:
                self._enlarge(len(request))
            self._memory.write(request, self._buffer)
            return _decode_fields(self._read(self._functions[export](self._buffer, len(request))))
        except (Trap, WasmtimeError) as error:
            raise StoppedError(_resolve_stop_reason(error), str(error)) from error

    def statistics(self) -> InstanceStatistics:
        """The guest's account of itself."""
        self._store.set_epoch_deadline(_to_ticks(_START_SECONDS))
        return InstanceStatistics(*_STATISTICS.unpack(self._read(self._functions["statistics"]())))

    def close(self) -> None:
        """Give the memory back now; the garbage collector would come for it too late for a container's limit."""
        self._store.close()

    def _enlarge(self, size: int) -> None:
        """Have room for a request; kept for the next ones, as a call costs more than the memory."""
        if self._buffer:
            self._functions["free"](self._buffer)
        self._buffer_size = max(_FIRST_BUFFER, 1 << (size - 1).bit_length())
        self._buffer = self._functions["alloc"](self._buffer_size) & 0xFFFF_FFFF

    def _read(self, pointer: int) -> bytes:
        address, length = pointer >> 32 & 0xFFFF_FFFF, pointer & 0xFFFF_FFFF
        return self._memory.read(address, length)


def _to_ticks(seconds: float) -> int:
    # One more: the first tick comes at once or in a whole tick.
    return math.ceil(seconds / TICK_SECONDS) + 1


def _resolve_stop_reason(error: Trap | WasmtimeError) -> StopReason:
    match error.trap_code if isinstance(error, Trap) else None:
        case TrapCode.INTERRUPT:
            return StopReason.TIME
        case TrapCode.STACK_OVERFLOW:
            return StopReason.DEPTH
        case _:
            # Go ends itself (an unreachable instruction) when it gets no memory. Panics of expr are recovered inside.
            return StopReason.MEMORY


def _decode_fields(response: bytes) -> list[bytes]:
    fields: list[bytes] = []
    at = 0
    while at < len(response):
        (length,) = _LENGTH.unpack_from(response, at)
        at += _LENGTH.size
        fields.append(response[at : at + length])
        at += length
    return fields
