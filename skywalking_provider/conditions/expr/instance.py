"""WASM instances of the evaluator: a sandbox without files, environment or network, with limits of memory and time."""

import math
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wasmtime import Func, Instance, Linker, Memory, Store, Trap, TrapCode, WasiConfig, WasmtimeError

from skywalking_provider.conditions.expr.wasm_abi import WasmFunction
from skywalking_provider.conditions.expr.wasm_module import load_compiled_module, new_engine, read_wasm
from skywalking_provider.conditions.limits import StoppedError, StopReason
from skywalking_provider.model import Deadline

# Resolution of a time limit. A thread wakes this often to advance the epoch; 50 times a second cost nothing measurable.
TICK_SECONDS = 0.02
# A start takes a few milliseconds; the rest is for a busy machine.
_START_SECONDS = 10.0
_FIRST_BUFFER_BYTES = 4096
# An instance with more memory is not reused, because WASM memory never shrinks. Usual conditions stay near 9 MiB.
_REUSE_BELOW_BYTES = 32 << 20

_LENGTH = struct.Struct("<I")
_STATISTICS = struct.Struct("<4Q")


@dataclass(frozen=True, slots=True)
class InstanceStatistics:
    """Counters that an instance keeps: the cache of compiled conditions, heap bytes, garbage collections."""

    hits: int
    misses: int
    heap_bytes: int
    collections: int


@dataclass(frozen=True, slots=True)
class WasmCall:
    """A call of an exported function.

    Attributes:
        export: Name of the function.
        fields: Arguments.
        key: Texts of the conditions. Calls with the same key cost about the same for results of one size.
    """

    export: str
    fields: Sequence[bytes]
    key: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Length of all arguments in bytes."""
        return sum(map(len, self.fields))


class Sandbox:
    """Machine code and clock shared by all instances of a process. Loading takes milliseconds, compiling seconds."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._engine = new_engine()
        self._module = load_compiled_module(self._engine, read_wasm())
        self._linker = Linker(self._engine)
        self._linker.define_wasi()
        self._closed = threading.Event()
        self.start_problem = ""
        """Why an instance could not be started the last time; empty if it could."""
        self._clock = threading.Thread(target=self._tick, name="conditions-clock", daemon=True)
        self._clock.start()

    def new_instance(self) -> "WasmInstance":
        """Start an instance: 2 ms and 5 MiB.

        Raises:
            StoppedError: It does not start.
        """
        try:
            store = Store(self._engine)
            store.set_limits(memory_size=self._memory_bytes)
            store.set_wasi(WasiConfig())  # no arguments, environment, files, standard streams
            store.set_epoch_deadline(_to_ticks(_START_SECONDS))
            instance = WasmInstance(store, self._linker.instantiate(store, self._module))
        except (Trap, WasmtimeError) as error:
            self.start_problem = str(error)
            raise StoppedError(StopReason.UNAVAILABLE, str(error)) from error
        self.start_problem = ""
        return instance

    def interrupt(self, seconds: float) -> None:
        """Interrupt every evaluation whose remaining time limit is at most `seconds`."""
        for _ in range(_to_ticks(seconds)):
            self._engine.increment_epoch()

    def close(self) -> None:
        """Stop the clock. No instance may be running: its time limit would not end it any more."""
        self._closed.set()
        self._clock.join()

    def _tick(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            self._engine.increment_epoch()


class WasmInstance:
    """A running instance. Not thread-safe; unusable after a StoppedError."""

    def __init__(self, store: Store, instance: Instance) -> None:
        self._store = store
        exports = instance.exports(store)
        self._functions = {name: WasmFunction(store, one) for name, one in exports.items() if isinstance(one, Func)}
        memory = exports["memory"]
        if not isinstance(memory, Memory):
            raise StoppedError(StopReason.UNAVAILABLE, "expr.wasm exports no memory")
        self._memory = memory
        self._functions["_initialize"]()
        self._buffer = 0
        self._buffer_size = 0

    @property
    def memory_bytes(self) -> int:
        """Size of the instance's memory, which never shrinks."""
        return self._memory.data_len(self._store)

    def call(self, export: str, fields: Sequence[bytes], seconds: float) -> list[bytes]:
        """Call an exported function and return the fields of its response.

        Args:
            export: Name of the function.
            fields: Arguments.
            seconds: Time limit.

        Raises:
            StoppedError: The limit of time, memory or stack was exceeded.
        """
        request = b"".join(part for field in fields for part in (_LENGTH.pack(len(field)), field))
        self._store.set_epoch_deadline(_to_ticks(seconds))
        try:
            if len(request) > self._buffer_size:
                self._enlarge(len(request))
            self._memory.write(self._store, request, self._buffer)
            return _decode_fields(self._read(self._functions[export](self._buffer, len(request))))
        except (Trap, WasmtimeError) as error:
            raise StoppedError(_resolve_stop_reason(error), str(error)) from error

    def statistics(self) -> InstanceStatistics:
        """Return the instance's counters."""
        self._store.set_epoch_deadline(_to_ticks(_START_SECONDS))
        return InstanceStatistics(*_STATISTICS.unpack(self._read(self._functions["statistics"]())))

    def close(self) -> None:
        """Release the memory at once; garbage collection may come too late for a container's limit."""
        self._store.close()

    def _enlarge(self, size: int) -> None:
        """Replace the request buffer by a larger one. It is kept, because allocating costs more than its memory."""
        if self._buffer:
            self._functions["free"](self._buffer)
        self._buffer_size = max(_FIRST_BUFFER_BYTES, 1 << (size - 1).bit_length())
        self._buffer = self._functions["alloc"](self._buffer_size) & 0xFFFF_FFFF

    def _read(self, pointer: int) -> bytes:
        address, length = pointer >> 32 & 0xFFFF_FFFF, pointer & 0xFFFF_FFFF
        return bytes(self._memory.read(self._store, address, address + length))


class InstancePool:
    """A pool of one instance, started on demand and discarded after a failure. Not thread-safe.

    Args:
        new_instance: Starts an instance.
        seconds: Time limit of one call.
        reuse: Whether the instance is kept for the next call.
    """

    def __init__(self, new_instance: Callable[[], WasmInstance], *, seconds: float, reuse: bool) -> None:
        self._new_instance = new_instance
        self._seconds = seconds
        self._reuse = reuse
        self.instance: WasmInstance | None = None

    def execute(self, call: WasmCall, deadline: Deadline) -> list[bytes]:
        """Execute a call within the pool's time limit and the deadline.

        Raises:
            StoppedError: A limit of the evaluation was exceeded, or the deadline has passed.
        """
        seconds = min(self._seconds, deadline.remaining)
        if seconds <= 0:
            raise StoppedError(StopReason.QUEUE_TIMEOUT)
        instance, self.instance = self.instance or self._new_instance(), None
        try:
            response = instance.call(call.export, call.fields, seconds)
            if self._reuse and instance.memory_bytes < _REUSE_BELOW_BYTES:
                self.instance = instance
            return response
        finally:
            if self.instance is None:
                instance.close()

    def close(self) -> None:
        """Close the instance."""
        if self.instance:
            self.instance.close()
            self.instance = None


def _to_ticks(seconds: float) -> int:
    # One tick more, because the first one may come at once.
    return math.ceil(seconds / TICK_SECONDS) + 1


def _resolve_stop_reason(error: Trap | WasmtimeError) -> StopReason:
    match error.trap_code if isinstance(error, Trap) else None:
        case TrapCode.INTERRUPT:
            return StopReason.TIME
        case TrapCode.STACK_OVERFLOW:
            return StopReason.DEPTH
        case _:
            # Go executes an unreachable instruction when it gets no memory. Panics of expr are recovered inside.
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
